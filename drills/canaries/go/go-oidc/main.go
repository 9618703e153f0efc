// Command go-oidc verifies with go-oidc v3: keys for the life of the process, fetched again for an unknown key id.
package main

import (
	"context"
	"log"

	"github.com/coreos/go-oidc/v3/oidc"

	"oidcwatch.example/canaries/protocol"
)

func main() {
	target, err := protocol.Parse()
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if target.Client != nil {
		ctx = oidc.ClientContext(ctx, target.Client)
	}
	keys := oidc.NewRemoteKeySet(ctx, target.JWKSURI)
	verifier := oidc.NewVerifier(target.Issuer, keys, &oidc.Config{ClientID: target.Audience})

	err = protocol.Serve("github.com/coreos/go-oidc/v3", func(token string) error {
		_, err := verifier.Verify(ctx, token)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
}
