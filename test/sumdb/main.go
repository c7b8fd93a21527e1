// Checks a checkpoint, an inclusion proof and a consistency proof with Go's own transparency log packages: what an auditor may use who has
// nothing of Castellan. Reads one JSON object from standard input; prints "ok", or what does not hold.
package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type input struct {
	Key         string   `json:"key"`
	Note        string   `json:"note"`
	Earlier     string   `json:"earlier"`
	Record      string   `json:"record"`
	Seq         int64    `json:"seq"`
	Inclusion   []string `json:"inclusion"`
	Consistency []string `json:"consistency"`
}

func main() {
	if err := check(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ok")
}

func check() error {
	var in input
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		return err
	}
	verifier, err := note.NewVerifier(in.Key)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	tree, err := open(in.Note, verifier)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	record, err := hashes(in.Inclusion)
	if err != nil {
		return err
	}
	leaf := tlog.RecordHash([]byte(in.Record))
	if err := tlog.CheckRecord(record, tree.N, tree.Hash, in.Seq-1, leaf); err != nil {
		return fmt.Errorf("inclusion: %w", err)
	}
	earlier, err := open(in.Earlier, verifier)
	if err != nil {
		return fmt.Errorf("earlier checkpoint: %w", err)
	}
	grown, err := hashes(in.Consistency)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(grown, tree.N, tree.Hash, earlier.N, earlier.Hash); err != nil {
		return fmt.Errorf("consistency: %w", err)
	}
	return nil
}

// open checks the signature and reads origin, size and root.
func open(signed string, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open([]byte(signed), note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 3 || lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("origin %q", lines[0])
	}
	var tree tlog.Tree
	if _, err := fmt.Sscan(lines[1], &tree.N); err != nil {
		return tree, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tree, fmt.Errorf("root %q", lines[2])
	}
	copy(tree.Hash[:], root)
	return tree, nil
}

func hashes(digits []string) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(digits))
	for at, one := range digits {
		bytes, err := hex.DecodeString(one)
		if err != nil || len(bytes) != tlog.HashSize {
			return nil, fmt.Errorf("hash %q", one)
		}
		copy(found[at][:], bytes)
	}
	return found, nil
}
