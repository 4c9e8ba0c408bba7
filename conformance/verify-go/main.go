// Verify checks certificate chains with Go's own verifier, which shares no code with Signet.
//
//	verify ANCHORS.pem CHAIN.pem...
//
// Each CHAIN.pem holds a client's certificate and the authorities below the anchors. One line for each, OK or the fault; the exit
// status is 1 when one does not verify.
package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: verify ANCHORS.pem CHAIN.pem...")
		os.Exit(2)
	}
	anchors, err := read(os.Args[1])
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(2)
	}
	failed := false
	for _, name := range os.Args[2:] {
		if err := verify(anchors, name); err != nil {
			fmt.Printf("%s: %v\n", name, err)
			failed = true
			continue
		}
		fmt.Printf("%s: OK\n", name)
	}
	if failed {
		os.Exit(1)
	}
}

func verify(anchors []*x509.Certificate, name string) error {
	chain, err := read(name)
	if err != nil {
		return err
	}
	options := x509.VerifyOptions{
		Roots:         x509.NewCertPool(),
		Intermediates: x509.NewCertPool(),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, anchor := range anchors {
		options.Roots.AddCert(anchor)
	}
	for _, authority := range chain[1:] {
		options.Intermediates.AddCert(authority)
	}
	_, err = chain[0].Verify(options)
	return err
}

func read(name string) ([]*x509.Certificate, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var certificates []*x509.Certificate
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certificates = append(certificates, certificate)
		text = rest
	}
	if len(certificates) == 0 {
		return nil, errors.New("no certificate in it")
	}
	return certificates, nil
}
