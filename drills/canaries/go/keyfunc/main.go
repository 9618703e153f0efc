// Command keyfunc verifies with keyfunc v3: a refresh every hour, and one for an unknown key id every five minutes.
package main

import (
	"context"
	"log"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"

	"oidcwatch.example/canaries/protocol"
)

func main() {
	target, err := protocol.Parse()
	if err != nil {
		log.Fatal(err)
	}
	override := keyfunc.Override{Client: target.Client, RefreshInterval: target.Seconds("RefreshInterval")}
	if pause := target.Seconds("RefreshUnknownKID"); pause > 0 {
		override.RefreshUnknownKID = rate.NewLimiter(rate.Every(pause), 1)
	}
	keys, err := keyfunc.NewDefaultOverrideCtx(context.Background(), []string{target.JWKSURI}, override)
	if err != nil {
		log.Fatal(err)
	}
	parser := jwt.NewParser(
		jwt.WithIssuer(target.Issuer), jwt.WithAudience(target.Audience), jwt.WithExpirationRequired(),
		jwt.WithValidMethods([]string{"RS256", "PS256", "ES256", "EdDSA"}),
	)

	err = protocol.Serve("github.com/MicahParks/keyfunc/v3", func(token string) error {
		_, err := parser.Parse(token, keys.Keyfunc)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
}
