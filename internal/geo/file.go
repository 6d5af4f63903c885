package geo

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oschwald/geoip2-golang"
	"github.com/oschwald/maxminddb-golang"
)

// remembered is how many places a file keeps decoded. Country databases have a few hundred different records, so nearly every answer is
// found here; each place takes some 50 bytes.
const remembered = 4096

// separator is the number of bytes between the tree and the data of a file.
const separator = 16

// errDamaged is what there is to say of a file that is not what it says it is.
var errDamaged = errors.New("the file is damaged")

// place is what is known of a network.
type place struct {
	offset  uintptr // of the record in the file
	country string  // ISO 3166-1 alpha-2, or ""
}

// file is a database in memory. Only recent changes after it was made.
type file struct {
	stamp     stamp
	db        *maxminddb.Reader
	v4        *tree
	data      []byte // the file's data section, where records are
	decode    func(offset uintptr, addr netip.Addr) (place, error)
	recent    [remembered]atomic.Pointer[place]
	text, url string // attribution
	built     time.Time
}

// stamp tells one file at a path from the next.
type stamp struct {
	modified time.Time
	size     int64
}

func stampOf(path string) (stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, fmt.Errorf("cannot read geo database: %w", err)
	}
	return stamp{info.ModTime(), info.Size()}, nil
}

// load reads the database at path and tries it.
func load(path string) (*file, error) {
	b, s, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read geo database: %w", err)
	}
	f, err := newFile(b)
	if err != nil {
		return nil, fmt.Errorf("cannot use geo database %s: %w", path, err)
	}
	f.stamp = s
	f.text, f.url = attribution(path, f.db.Metadata.DatabaseType)
	return f, nil
}

// newFile makes a file of the bytes of a database and tries it.
func newFile(b []byte) (f *file, err error) {
	// What is checked here is what is known to lead the reader out of bounds; there may be more of it.
	defer func() {
		if r := recover(); r != nil {
			f, err = nil, errDamaged
		}
	}()
	about, end := metadata(b)
	if about == nil {
		return nil, errors.New("not a database in MaxMind's format, or cut off")
	}
	if !sound(about, 0) {
		return nil, errDamaged
	}
	db, err := maxminddb.FromBytes(b)
	if err != nil {
		return nil, fmt.Errorf("the file is damaged: %w", err)
	}
	tree := db.Metadata.NodeCount * db.Metadata.RecordSize / 4
	f = &file{db: db, data: b[tree+separator : end], built: time.Unix(int64(db.Metadata.BuildEpoch), 0).UTC()}
	if f.v4 = newTree(db.Metadata, b[:tree]); f.v4 == nil {
		return nil, errDamaged
	}
	f.decode = f.untyped
	if r, err := geoip2.FromBytes(b); err == nil && hasCountries(r) {
		f.decode = typed(r)
	}
	if err := f.probe(); err != nil {
		return nil, err
	}
	return f, nil
}

// read returns the bytes of the file at path and the stamp they go with.
func read(path string) ([]byte, stamp, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, stamp{}, err
	}
	defer r.Close()
	info, err := r.Stat()
	if err != nil {
		return nil, stamp{}, err
	}
	if !info.Mode().IsRegular() {
		return nil, stamp{}, fmt.Errorf("%s is not a file", path)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, stamp{}, err
	}
	if len(b) == 0 {
		return nil, stamp{}, fmt.Errorf("%s is empty", path)
	}
	return b, stamp{info.ModTime(), info.Size()}, nil
}

// read decodes the record at offset, which is that of addr.
func (f *file) read(offset uintptr, addr netip.Addr) (place, error) {
	if !sound(f.data, uint64(offset)) {
		return place{}, errDamaged
	}
	return f.decode(offset, addr)
}

// place returns what is known of the network that addr, which was cut, is in.
func (f *file) place(addr netip.Addr) place {
	if addr.Is6() && f.db.Metadata.IPVersion == 4 {
		return place{}
	}
	offset, ok := f.offset(addr)
	if !ok {
		return place{}
	}
	slot := &f.recent[offset*0x9e3779b1>>16%remembered]
	if p := slot.Load(); p != nil && p.offset == offset {
		return *p
	}
	p, err := f.read(offset, addr)
	if err != nil {
		return place{}
	}
	p.offset = offset
	slot.Store(&p)
	return p
}

// offset returns where the record of addr is in the data.
func (f *file) offset(addr netip.Addr) (uintptr, bool) {
	if addr.Is4() {
		return f.v4.offset(addr.As4())
	}
	b := addr.As16()
	offset, err := f.db.LookupOffset(b[:])
	return offset, err == nil && offset != maxminddb.NotFound
}

// hasCountries reports whether the kind of database is one that geoip2-golang answers Country for.
func hasCountries(r *geoip2.Reader) bool {
	_, err := r.Country(net.IPv4zero)
	_, wrongKind := errors.AsType[geoip2.InvalidMethodError](err)
	return !wrongKind
}

// typed returns a decoder for the databases that geoip2-golang knows by name.
func typed(r *geoip2.Reader) func(uintptr, netip.Addr) (place, error) {
	return func(_ uintptr, addr netip.Addr) (place, error) {
		c, err := r.Country(addr.AsSlice())
		if err != nil {
			return place{}, err
		}
		return place{country: code(c.Country.IsoCode)}, nil
	}
}

// untyped decodes records of databases that have a name of their own. They are flat (country_code), or MaxMind's (country.iso_code), or
// have the country as a plain string.
func (f *file) untyped(offset uintptr, _ netip.Addr) (place, error) {
	var record struct {
		Flat    string `maxminddb:"country_code"`
		Country any    `maxminddb:"country"`
	}
	if err := f.db.Decode(offset, &record); err != nil {
		return place{}, err
	}
	p := place{country: code(record.Flat)}
	switch c := record.Country.(type) {
	case string:
		p.country = first(p.country, code(c))
	case map[string]any:
		iso, _ := c["iso_code"].(string)
		p.country = first(p.country, code(iso))
	}
	return p, nil
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// pairs are all pairs of capital letters, one after the other. It is never written to after it was made.
var pairs = func() string {
	var b strings.Builder
	for first := 'A'; first <= 'Z'; first++ {
		for second := 'A'; second <= 'Z'; second++ {
			b.WriteRune(first)
			b.WriteRune(second)
		}
	}
	return b.String()
}()

// code returns s if it is the code of a country: two capital letters that stand for one. What it returns is a piece of pairs, because it is kept: a
// short text of its own would share its place on the heap with other short texts of the same moment, pieces of an agent for instance, and keep them.
func code(s string) string {
	if len(s) != 2 || s[0] < 'A' || s[0] > 'Z' || s[1] < 'A' || s[1] > 'Z' || s == "ZZ" || s == "XX" {
		return ""
	}
	at := 2 * (26*int(s[0]-'A') + int(s[1]-'A'))
	return pairs[at : at+2]
}

// attribution returns what the maker of a database wants to see. The files that the npm registry has do not say who made them; there the
// name of the file does, also of the one that a link leads to.
func attribution(path, kind string) (text, url string) {
	name := filepath.Base(path)
	if target, err := filepath.EvalSymlinks(path); err == nil {
		name += " " + filepath.Base(target)
	}
	says := strings.ToLower(kind + " " + name)
	switch {
	case strings.Contains(says, "dbip"), strings.Contains(says, "db-ip"):
		return "IP Geolocation by DB-IP", "https://db-ip.com"
	case strings.Contains(says, "geolite"):
		return "This product includes GeoLite Data created by MaxMind", "https://www.maxmind.com"
	}
	return "", ""
}
