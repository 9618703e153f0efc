// Package protocol is the canary's side of the protocol that drills/canaries/protocol.py describes: a token a line in,
// a verdict a line out.
package protocol

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"
)

const (
	mostBytes    = 200
	shortestPart = 6 // a shorter part of a token is no secret, and would hide ordinary words
	longestLine  = 1 << 20
)

// Target is what the canary was started for.
type Target struct {
	Issuer, JWKSURI, Audience string
	// Client trusts the given CA; nil means http.DefaultClient, which is what libraries use by default.
	Client *http.Client
	// Settings are the library's own options by their own names, in seconds.
	Settings map[string]float64
}

// Parse reads the command line.
func Parse() (Target, error) {
	var target Target
	flag.StringVar(&target.Issuer, "issuer", "", "the issuer that tokens must name")
	flag.StringVar(&target.JWKSURI, "jwks-uri", "", "where the keys are")
	flag.StringVar(&target.Audience, "audience", "", "the audience that tokens must name")
	caFile := flag.String("ca-file", "", "a CA to trust instead of the system's")
	settings := flag.String("settings", "{}", "options of the library, as JSON")
	flag.Parse()
	if err := json.Unmarshal([]byte(*settings), &target.Settings); err != nil {
		return target, fmt.Errorf("--settings: %w", err)
	}
	if *caFile == "" {
		return target, nil
	}
	pem, err := os.ReadFile(*caFile)
	if err != nil {
		return target, fmt.Errorf("--ca-file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return target, fmt.Errorf("--ca-file: no certificate in %s", *caFile)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	target.Client = &http.Client{Transport: transport}
	return target, nil
}

// Seconds is an option of the library as a duration, zero where it is not set.
func (t Target) Seconds(option string) time.Duration {
	return time.Duration(t.Settings[option] * float64(time.Second))
}

// Serve answers until the end of the input. verify returns an error for a token that it refuses.
func Serve(module string, verify func(token string) error) error {
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(map[string]any{"ready": true, "library": module, "version": version(module)}); err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, longestLine)
	for lines.Scan() {
		var question struct {
			ID    any    `json:"id"`
			Token string `json:"token"`
		}
		if err := json.Unmarshal(lines.Bytes(), &question); err != nil {
			return fmt.Errorf("a line of the input is no question")
		}
		started := time.Now()
		refused := ""
		if err := verify(question.Token); err != nil {
			refused = withoutToken(err.Error(), question.Token)
		}
		answer := map[string]any{
			"id": question.ID, "ok": refused == "", "error": refused, "seconds": time.Since(started).Seconds(),
		}
		if err := out.Encode(answer); err != nil {
			return err
		}
	}
	return lines.Err()
}

func withoutToken(message, token string) string {
	for _, part := range append([]string{token}, strings.Split(token, ".")...) {
		if len(part) >= shortestPart {
			message = strings.ReplaceAll(message, part, "[token]")
		}
	}
	return strings.ToValidUTF8(message[:min(len(message), mostBytes)], "")
}

func version(module string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dependency := range info.Deps {
			if dependency.Path == module {
				return strings.TrimPrefix(dependency.Version, "v")
			}
		}
	}
	return "unknown"
}
