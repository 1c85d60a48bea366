// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"time"
)

// Issuer is an OpenID provider without a login: it serves its discovery document and its keys
// over TLS, and signs the claims that it is given, as a CI service does for its jobs.
type Issuer struct {
	URL string
	CA  string // of its certificate, as PEM

	server *httptest.Server
	key    *ecdsa.PrivateKey
}

// StartIssuer runs an issuer on the loopback interface. Stop ends it.
func StartIssuer() (*Issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	public, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	i := &Issuer{key: key}
	mux := http.NewServeMux()
	answer := func(path string, document func() any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(document())
		})
	}
	answer("/.well-known/openid-configuration", func() any {
		return map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys", "response_types_supported": []string{"id_token"},
			"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"ES256"}}
	})
	answer("/keys", func() any { // RFC 7518, 6.2: an uncompressed point is 4, X, Y
		return map[string]any{"keys": []any{map[string]string{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256",
			"kid": "1", "x": encode(public[1:33]), "y": encode(public[33:])}}}
	})
	i.server = httptest.NewTLSServer(mux)
	i.URL = i.server.URL
	i.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.server.Certificate().Raw}))
	return i, nil
}

// Stop ends the issuer.
func (i *Issuer) Stop() { i.server.Close() }

// Token returns a token with the claims, valid for five minutes unless they say otherwise.
func (i *Issuer) Token(claims map[string]any) (string, error) {
	now := time.Now()
	all := map[string]any{"iss": i.URL, "iat": now.Unix(), "nbf": now.Add(-time.Minute).Unix(),
		"exp": now.Add(5 * time.Minute).Unix()}
	maps.Copy(all, claims)
	body, err := json.Marshal(all)
	if err != nil {
		return "", err
	}
	signed := encode([]byte(`{"alg":"ES256","kid":"1","typ":"JWT"}`)) + "." + encode(body)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, sum[:])
	if err != nil {
		return "", err
	}
	signature := make([]byte, 64) // RFC 7518, 3.4: both numbers, in 32 bytes each
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + encode(signature), nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
