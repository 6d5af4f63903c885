package pgkeys_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/subtle"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/daysalt/daysalt/internal/testkit"
)

// masked is a multiple of 16 bytes that this process knows only as a mask and what the mask leaves of them.
type masked struct{ mask, rest []byte }

// maskedSecret has the database mask the secret, so that the memory searched holds it only if Fetch left it there.
func maskedSecret(t *testing.T, dsn string) masked {
	t.Helper()
	conn, err := pgx.Connect(within(t), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	m := masked{mask: make([]byte, 32), rest: make([]byte, 32)}
	_, _ = rand.Read(m.mask)
	var bits string
	err = conn.QueryRow(within(t), `SELECT (('x' || encode(secret, 'hex'))::bit(256) # ('x' || $1::text)::bit(256))::text FROM "daysalt_key_2026-11-22_Europe/Berlin"`,
		hex.EncodeToString(m.mask)).Scan(&bits)
	if err != nil {
		t.Fatal(err)
	}
	n, ok := new(big.Int).SetString(bits, 2)
	if !ok {
		t.Fatal("the database did not answer with bits")
	}
	n.FillBytes(m.rest)
	return m
}

// in returns how often 16 of the bytes, from the first or the seventeenth, are in b.
func (m masked) in(b []byte) int {
	found := 0
	for from := 0; from < len(m.mask); from += 16 {
		first := m.mask[from] ^ m.rest[from]
		for at := 0; ; at++ {
			next := bytes.IndexByte(b[at:], first)
			if next < 0 {
				break
			}
			at += next
			n := 0
			for n < 16 && at+n < len(b) && b[at+n]^m.mask[from+n] == m.rest[from+n] {
				n++
			}
			if n == 16 {
				found++
			}
		}
	}
	return found
}

// inMemory searches this process's memory. What the race detector maps for itself is terabytes, and holds none of our bytes.
func (m masked) inMemory(t *testing.T) int {
	t.Helper()
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	defer maps.Close()
	memory, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	const step = 1 << 20
	buf := make([]byte, step+32)
	defer clear(buf)
	found := 0
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to int64
		var rights string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &rights); err != nil || !strings.HasPrefix(rights, "rw") || to-from > 1<<32 {
			continue
		}
		for ; from < to; from += step {
			n, _ := memory.ReadAt(buf[:min(step+31, to-from)], from) // what cannot be read holds nothing of ours
			found += m.in(buf[:n])
			clear(buf[:n])
		}
	}
	return found
}

// After Fetch, the secret is nowhere in the process, not in the buffer it was read into, nor in that of TLS below it, and the key is only where it
// was asked for.
// Seen to fail over TLS without the padding in read, and without TLS when hash did not wipe either.
func TestFetch_leavesNoSecretInMemory(t *testing.T) {
	server := testkit.StartPostgres(t)
	withTLS(t, server)
	fetch(t, open(t, server.DSN), berlin, today)
	m := maskedSecret(t, server.DSN)

	control := make([]byte, 32)
	subtle.XORBytes(control, m.mask, m.rest)
	if m.inMemory(t) == 0 {
		t.Fatal("the search does not find the secret where it is")
	}
	clear(control)
	runtime.KeepAlive(control)

	f := func(name, dsn string) {
		t.Helper()
		k := open(t, dsn)
		for range 3 {
			key := masked{mask: make([]byte, 16), rest: make([]byte, 16)}
			_, _ = rand.Read(key.mask)
			if err := k.Fetch(within(t), berlin, today, (*[16]byte)(key.rest)); err != nil {
				t.Fatal(err)
			}
			subtle.XORBytes(key.rest, key.rest, key.mask)
			if n := m.inMemory(t); n != 0 {
				t.Errorf("%s: the secret is in memory %d times", name, n)
			}
			if n := key.inMemory(t); n != 0 {
				t.Errorf("%s: the key is in memory %d times beside where it belongs", name, n)
			}
		}
		k.Close()
		if n := m.inMemory(t); n != 0 {
			t.Errorf("%s: after Close: the secret is in memory %d times", name, n)
		}
	}
	f("plain", server.DSN)
	f("TLS", strings.Replace(server.DSN, "sslmode=disable", "sslmode=require", 1))
}

// withTLS gives the server a certificate.
func withTLS(t *testing.T, server *testkit.PostgresServer) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	owner, err := os.Stat(filepath.Join(server.DataDir, "PG_VERSION"))
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"server.crt": {Type: "CERTIFICATE", Bytes: certificate}, "server.key": {Type: "PRIVATE KEY", Bytes: private}} {
		path := filepath.Join(server.DataDir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		chownLike(t, path, owner)
	}
	admin(t, server.DSN, "ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := pgx.Connect(within(t), strings.Replace(server.DSN, "sslmode=disable", "sslmode=require", 1))
		if err == nil {
			_ = conn.Close(within(t))
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func chownLike(t *testing.T, path string, like os.FileInfo) {
	t.Helper()
	stat, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatal("no owner")
	}
	if err := os.Chown(path, int(stat.Uid), int(stat.Gid)); err != nil {
		t.Fatal(err)
	}
}
