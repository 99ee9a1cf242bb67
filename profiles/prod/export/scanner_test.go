package export_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// piece is the length of the shortest part of a secret that counts as found, in characters of its encoding.
const piece = 12

// newCanary is a secret that nothing else has a piece of. The + in it is written otherwise in URLs.
func newCanary() string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	c := make([]byte, 32)
	for i := range c {
		c[i] = letters[rand.IntN(len(letters))]
	}
	c[16] = '+'
	return string(c)
}

// encodings are the ways in which a secret could hide. In base64 it looks different after 0, 1 and 2 other bytes, and its
// first and last characters depend on its neighbours.
func encodings(secret string) map[string]string {
	percent := ""
	for _, b := range []byte(secret) {
		percent += fmt.Sprintf("%%%02x", b)
	}
	reversed := []byte(secret)
	slices.Reverse(reversed)
	out := map[string]string{
		"as it is": secret, "reversed": string(reversed), "hexadecimal": hex.EncodeToString([]byte(secret)),
		"URL": url.QueryEscape(secret), "URL, every byte": percent,
	}
	for before := range 3 {
		encoded := base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("x", before) + secret))
		out[fmt.Sprintf("base64 after %d bytes", before)] = encoded[4 : len(encoded)-4]
	}
	return out
}

// scanner finds pieces of secrets, whatever their case.
type scanner map[string]string // a piece -> what it is of

func newScanner(secrets []string) scanner {
	s := scanner{}
	for i, secret := range secrets {
		for how, encoded := range encodings(secret) {
			text := fold(encoded)
			for at := range len(text) - piece + 1 {
				s[text[at:at+piece]] = fmt.Sprintf("secret %d, %s", i, how)
			}
		}
	}
	return s
}

// fold makes upper case and both alphabets of base64 equal. It takes line ends out, too, that an encoder may have put in.
func fold(text string) string {
	return strings.NewReplacer("-", "+", "_", "/", "\n", "", "\r", "").Replace(strings.ToLower(text))
}

// find says what is in a text, sorted and each once.
func (s scanner) find(text string) []string {
	found := map[string]bool{}
	text = fold(text)
	for at := 0; at+piece <= len(text); at++ {
		if of := s[text[at:at+piece]]; of != "" {
			found[of] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func TestScannerFindsEverySecretInEveryEncoding(t *testing.T) {
	secrets := []string{newCanary(), newCanary(), newCanary()}
	s := newScanner(secrets)
	if found := s.find(strings.Repeat("nothing to be found here\n", 100)); len(found) > 0 {
		t.Errorf("found %v", found)
	}
	for i, secret := range secrets {
		for how, encoded := range encodings(secret) {
			for _, text := range []string{
				encoded, "before" + encoded + "after", strings.ToUpper(encoded),
				encoded[:piece], encoded[len(encoded)-piece:], encoded[:piece/2] + "\n" + encoded[piece/2:piece],
			} {
				if found := s.find(text); len(found) == 0 || !strings.HasPrefix(found[0], fmt.Sprintf("secret %d,", i)) {
					t.Errorf("secret %d, %s: found %v in %s", i, how, found, text)
				}
			}
		}
		for before := range 7 {
			if found := s.find(base64.StdEncoding.EncodeToString([]byte("password"[:before] + secret + "!"))); len(found) == 0 {
				t.Errorf("secret %d is not found in base64 after %d bytes", i, before)
			}
		}
	}
}
