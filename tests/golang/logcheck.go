// logcheck is an independent verifier of Yinxin's transparency logs. What it knows of notes, tiles
// and trees is golang.org/x/mod/sumdb's note and tlog, and nothing of Yinxin's own code.
//
// It reads one JSON request a line and answers each with one JSON line, {"error": ""} for success.
package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8

// request is one thing to check; which members it has depends on Do.
type request struct {
	Do string // keys, load, verify, inclusion, consistency, prove, extend

	VKeys  []string // keys: the log's, then its witnesses'
	Quorum int      // keys: how many of the witnesses have to cosign

	Folder string             // load: an export
	Set    map[string]*[]byte // verify: files that differ from the loaded ones; null: missing
	Since  []byte             // verify: a checkpoint of the log known before

	Size, Index, Old int64
	Root, OldRoot    []byte
	Leaf             []byte
	Proof            [][]byte
	Note             []byte // inclusion: the checkpoint that has size and root
}

type answer struct {
	Error string   `json:"error"`
	Proof [][]byte `json:"proof,omitempty"`
}

type verifier struct {
	origin    string
	known     note.Verifiers
	witnesses map[string]bool
	quorum    int
	files     map[string][]byte
}

func main() {
	v := &verifier{}
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	requests, answers := json.NewDecoder(in), json.NewEncoder(out)
	for requests.More() {
		var r request
		if err := requests.Decode(&r); err != nil {
			fmt.Fprintln(os.Stderr, "logcheck:", err)
			os.Exit(2)
		}
		proof, err := v.do(&r)
		a := answer{Proof: proof}
		if err != nil {
			a.Error = err.Error()
		}
		if err := answers.Encode(a); err != nil {
			os.Exit(2)
		}
	}
}

func (v *verifier) do(r *request) ([][]byte, error) {
	switch r.Do {
	case "keys":
		return nil, v.keys(r.VKeys, r.Quorum)
	case "load":
		return nil, v.load(r.Folder)
	case "verify":
		return nil, v.verify(r)
	case "inclusion":
		return nil, v.inclusion(r)
	case "consistency":
		oldRoot, root, err := twoHashes(r.OldRoot, r.Root)
		if err != nil {
			return nil, err
		}
		proof, err := hashes(r.Proof)
		if err != nil {
			return nil, err
		}
		return nil, tlog.CheckTree(proof, r.Size, root, r.Old, oldRoot)
	case "prove":
		return v.prove(r)
	}
	return nil, fmt.Errorf("unknown request %q", r.Do)
}

// keys takes the key of the log (algorithm 1) and those of its witnesses (algorithm 4).
func (v *verifier) keys(vkeys []string, quorum int) error {
	var all []note.Verifier
	v.witnesses, v.quorum = map[string]bool{}, quorum
	for i, text := range vkeys {
		if i == 0 {
			log, err := note.NewVerifier(text)
			if err != nil {
				return err
			}
			v.origin = log.Name()
			all = append(all, log)
			continue
		}
		witness, err := newCosigner(text)
		if err != nil {
			return err
		}
		v.witnesses[witness.Name()] = true
		all = append(all, witness)
	}
	v.known = note.VerifierList(all...)
	return nil
}

// load reads every file of an export.
func (v *verifier) load(folder string) error {
	v.files = map[string][]byte{}
	return filepath.Walk(folder, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		v.files[filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	})
}

// open verifies a note and the tree that it is about. The library reads a second spelling of
// base64 (bits that no byte needs) and ignores signatures of unknown names; neither may pass here.
func (v *verifier) open(raw []byte, cosigned bool) (tlog.Tree, error) {
	opened, err := note.Open(raw, v.known)
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != v.origin || lines[3] != "" {
		return tlog.Tree{}, errors.New("text is not origin, size, root")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return tlog.Tree{}, errors.New("size is no number")
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return tlog.Tree{}, err
	}
	byOwner, byWitness := 0, 0
	for _, signature := range opened.Sigs {
		if _, err := base64.StdEncoding.Strict().DecodeString(signature.Base64); err != nil {
			return tlog.Tree{}, err
		}
		if v.witnesses[signature.Name] {
			byWitness++
		} else {
			byOwner++
		}
	}
	if byOwner != 1 {
		return tlog.Tree{}, errors.New("the log's owner has not signed")
	}
	if cosigned && (len(opened.UnverifiedSigs) > 0 || byWitness < v.quorum) {
		return tlog.Tree{}, fmt.Errorf("%d of %d witnesses have cosigned", byWitness, v.quorum)
	}
	return tlog.Tree{N: size, Hash: root}, nil
}

// verify checks the loaded export, with the differences of the request.
func (v *verifier) verify(r *request) error {
	file := func(path string) ([]byte, error) {
		if changed, ok := r.Set[path]; ok {
			if changed == nil {
				return nil, errors.New(path + " is missing")
			}
			return *changed, nil
		}
		raw, ok := v.files[path]
		if !ok {
			return nil, errors.New(path + " is missing")
		}
		return raw, nil
	}
	raw, err := file("checkpoint")
	if err != nil {
		return err
	}
	tree, err := v.open(raw, true)
	if err != nil {
		return err
	}
	stored, err := storedHashes(tree.N, file)
	if err != nil {
		return err
	}
	root := emptyRoot
	if tree.N > 0 {
		if root, err = tlog.TreeHash(tree.N, stored); err != nil {
			return err
		}
	}
	if root != tree.Hash {
		return errors.New("the entries do not give the root")
	}
	all := tlog.NewTiles(tileHeight, 0, tree.N)
	for i, tile := range all {
		// The library lists a partial tile in every width that it had; the last one stays.
		if i+1 < len(all) && all[i+1].L == tile.L && all[i+1].N == tile.N {
			continue
		}
		expected, err := tlog.ReadTileData(tile, stored)
		if err != nil {
			return err
		}
		got, err := file(c2sp(tile))
		if err != nil {
			return err
		}
		if !bytes.Equal(expected, got) {
			return errors.New(c2sp(tile) + " is not that of the entries")
		}
	}
	if r.Since == nil {
		return nil
	}
	// Consistency out of the tiles alone, which the library's reader verifies against the root.
	before, err := v.open(r.Since, false)
	if err != nil {
		return err
	}
	if before.N == 0 {
		return nil
	}
	if before.N > tree.N {
		return errors.New("the log has shrunk")
	}
	proof, err := tlog.ProveTree(tree.N, before.N, tlog.TileHashReader(tree, &tiles{file, tree.N}))
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, before.N, before.Hash)
}

// inclusion checks a proof and, where there is one, the note that has its root.
func (v *verifier) inclusion(r *request) error {
	root, leaf, err := twoHashes(r.Root, r.Leaf)
	if err != nil {
		return err
	}
	if r.Note != nil {
		tree, err := v.open(r.Note, true)
		if err != nil {
			return err
		}
		if tree.N != r.Size || tree.Hash != root {
			return errors.New("the checkpoint is of another tree")
		}
	}
	proof, err := hashes(r.Proof)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, r.Size, root, r.Index, leaf)
}

// prove makes a proof out of the loaded tiles: of consistency if Old is set, else of inclusion.
func (v *verifier) prove(r *request) ([][]byte, error) {
	root, _, err := twoHashes(r.Root, r.Root)
	if err != nil {
		return nil, err
	}
	file := func(path string) ([]byte, error) {
		if raw, ok := v.files[path]; ok {
			return raw, nil
		}
		return nil, errors.New(path + " is missing")
	}
	reader := tlog.TileHashReader(tlog.Tree{N: r.Size, Hash: root}, &tiles{file, r.Size})
	var proof []tlog.Hash
	if r.Old > 0 {
		proof, err = tlog.ProveTree(r.Size, r.Old, reader)
	} else {
		proof, err = tlog.ProveRecord(r.Size, r.Index, reader)
	}
	found := [][]byte{}
	for i := range proof {
		found = append(found, proof[i][:])
	}
	return found, err
}

// tiles reads tiles by the names that C2SP gives them.
type tiles struct {
	file func(string) ([]byte, error)
	size int64
}

func (t *tiles) Height() int { return tileHeight }

func (t *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(wanted))
	for i, tile := range wanted {
		raw, err := t.file(c2sp(tile))
		if err != nil {
			return nil, err
		}
		found[i] = raw
	}
	return found, nil
}

func (t *tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// c2sp is the path of a tile: the library's, without the height.
func c2sp(tile tlog.Tile) string {
	return "tile/" + strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", tile.H))
}

// storedHashes reads the entries of a log into the hashes of all its complete subtrees.
func storedHashes(size int64, file func(string) ([]byte, error)) (tlog.HashReader, error) {
	var all []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			if index < 0 || index >= int64(len(all)) {
				return nil, errors.New("no such hash")
			}
			found[i] = all[index]
		}
		return found, nil
	})
	const width = 1 << tileHeight
	for first := int64(0); first < size; first += width {
		count := size - first
		if count > width {
			count = width
		}
		tile := tlog.Tile{H: tileHeight, L: -1, N: first / width, W: int(count)}
		// The library calls the level of records "data".
		path := strings.Replace(c2sp(tile), "tile/data/", "tile/entries/", 1)
		raw, err := file(path)
		if err != nil {
			return nil, err
		}
		for i := int64(0); i < count; i++ {
			if len(raw) < 2 || len(raw)-2 < int(binary.BigEndian.Uint16(raw)) {
				return nil, errors.New(path + " is too short")
			}
			end := 2 + int(binary.BigEndian.Uint16(raw))
			more, err := tlog.StoredHashes(first+i, raw[2:end], reader)
			if err != nil {
				return nil, err
			}
			all, raw = append(all, more...), raw[end:]
		}
		if len(raw) > 0 {
			return nil, errors.New(path + " is too long")
		}
	}
	return reader, nil
}

// emptyRoot is the root of the empty tree (RFC 6962 section 2.1), of which the library has none.
var emptyRoot = tlog.Hash(sha256.Sum256(nil))

func hashes(raws [][]byte) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(raws))
	for i, raw := range raws {
		if copy(found[i][:], raw) != tlog.HashSize || len(raw) != tlog.HashSize {
			return nil, errors.New("not a hash")
		}
	}
	return found, nil
}

func twoHashes(a, b []byte) (tlog.Hash, tlog.Hash, error) {
	both, err := hashes([][]byte{a, b})
	if err != nil {
		return tlog.Hash{}, tlog.Hash{}, err
	}
	return both[0], both[1], nil
}

// cosigner verifies cosignature/v1, which is newer than the library.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func newCosigner(vkey string) (*cosigner, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("not a vkey")
	}
	hash, err := strconv.ParseUint(parts[1], 16, 32)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 1+ed25519.PublicKeySize || key[0] != 4 {
		return nil, errors.New("not the key of a cosignature")
	}
	id := sha256.Sum256([]byte(parts[0] + "\n" + string(key)))
	if binary.BigEndian.Uint32(id[:]) != uint32(hash) {
		return nil, errors.New("key id does not fit the key")
	}
	return &cosigner{parts[0], uint32(hash), ed25519.PublicKey(key[1:])}, nil
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }

func (c *cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	head := fmt.Sprintf("cosignature/v1\ntime %d\n", binary.BigEndian.Uint64(sig))
	return ed25519.Verify(c.key, append([]byte(head), msg...), sig[8:])
}
