package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What no file, log, metric or answer may hold: an agent nobody else has, and the address it came from.
const (
	marker        = "Zq7Marker"
	markerAddress = "127.77.7.9" // of this machine, and of no listener
)

// markedAgents have the marker in every position that a parser of agents reads.
func markedAgents() []string {
	const m = marker + "/3.1"
	return []string{
		m,
		chrome + " " + m,
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) " + m + " Chrome/131.0.0.0 Safari/537.36",
		"Mozilla/5.0 (Linux; Android 14; " + m + " Build/" + m + ") AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
		"Mozilla/5.0 (" + m + "; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Safari/605.1.15",
		"Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/" + m,
		"Mozilla/5.0 (compatible; " + m + "; +https://" + marker + ".example/bot)",
		m + " (iPhone; iOS 18.1; Scale/3.00)",
		"Opera/9.80 (" + m + ") Presto/2.12.388 Version/12.16",
		m + "bot/1.0 (" + m + "@" + marker + ".example)",
	}
}

// markedRequests are good and bad requests of a marked agent, to the byte.
func markedRequests() []string {
	good := pageview(demo, "/control-page")
	hints := "Sec-CH-UA: \"" + marker + "\";v=\"3.1\"\r\nSec-CH-UA-Platform: \"" + marker + "\"\r\nSec-CH-UA-Mobile: " + marker + "\r\n" +
		"Accept-Language: " + marker + "\r\nReferer: https://" + marker + ".example/\r\nCookie: a=" + marker + "\r\n"
	const forwarded = "X-Forwarded-For: " + markerAddress + "\r\n"
	var requests []string
	for _, agent := range markedAgents() {
		headers := "User-Agent: " + agent + "\r\n" + hints
		for _, body := range []string{good, pageview("unknown.example", "/"), "no JSON", `{"n":7}`, "", "{\"n\":\"\xff\"}"} {
			requests = append(requests, rawEvent(headers+forwarded, body))
		}
	}
	// Refused before any of our code reads them, or by it.
	headers := "User-Agent: " + markedAgents()[1] + "\r\n" + hints
	for _, line := range []string{
		"Content-Encoding: gzip\r\n", "Host: second.example\r\n", "Content-Length: 7\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: " + marker + "\r\n",
		marker + "\r\n", marker + " : 1\r\n", "X: " + strings.Repeat(marker, 2000) + "\r\n", "Sec-Purpose: prefetch\r\n", "Sec-GPC: 1\r\n",
	} {
		requests = append(requests, rawEvent(headers+forwarded+line, good))
	}
	for _, line := range []string{"GET /js/d.js", "GET /demo", "GET /", "GET /nothing/" + marker, "POST /api/v2/query", "POST /api/v2/query?" + marker, "GET /api/v1/sites?" + marker, marker + " /", "GET"} {
		requests = append(requests, line+" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 0\r\n"+headers+"\r\n")
	}
	return append(requests, marker, "GET / "+marker+"\r\n\r\n", "\x16\x03\x01"+marker+"\r\n\r\n")
}

// sendFrom sends bytes from the marked address and returns what comes back.
func sendFrom(t *testing.T, p *process, request string) string {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(markerAddress)}, Timeout: 5 * time.Second}
	conn, err := d.Dial("tcp", strings.TrimPrefix(p.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, request) // the server may have answered and gone before it has everything
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
	var got bytes.Buffer
	_, _ = io.Copy(&got, conn)
	return got.String()
}

// forms are the spellings under which the marker and the address are looked for.
func forms() map[string][]byte {
	ip := net.ParseIP(markerAddress)
	return map[string][]byte{
		"marker": []byte(marker), "marker in lower case": []byte(strings.ToLower(marker)), "marker in hex": []byte(hex.EncodeToString([]byte(marker))),
		"address": []byte(markerAddress), "address in hex": []byte(hex.EncodeToString(ip.To4())), "address in 16 bytes": ip.To16()[10:],
	}
}

func search(t *testing.T, where string, text []byte) {
	t.Helper()
	for name, form := range forms() {
		if i := bytes.Index(text, form); i >= 0 {
			t.Errorf("%s holds the %s: %.120q", where, name, text[max(0, i-40):])
		}
	}
}

// searchFiles looks through every file below a directory and returns how many of them hold the control.
func searchFiles(t *testing.T, dir, control string) int {
	t.Helper()
	found := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		search(t, path, text)
		if bytes.Contains(text, []byte(control)) {
			found++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Good and bad traffic of a marked agent from a marked address leaves no trace of either: not in a file while the server runs or after it,
// a log line, a metric, an answer or a row.
func TestPrivacy(t *testing.T) {
	t.Parallel()
	dir, operators := t.TempDir(), freeAddress(t)
	p := serve(t, dir, "--web-demo", "--log-level", "debug", "--admin-listen", operators)
	statuses := map[string]int{}
	for _, request := range markedRequests() {
		got := sendFrom(t, p, request)
		statuses[fmt.Sprintf("%.12s", got)]++
		// A question's error may repeat what was asked, and nobody asked with the marker.
		search(t, fmt.Sprintf("the answer to %.200q", request), []byte(got))
	}
	t.Logf("answered: %v", statuses)
	if statuses["HTTP/1.1 500"] > 0 || statuses["HTTP/1.1 202"] == 0 || statuses["HTTP/1.1 400"] == 0 {
		t.Errorf("not what was to be sent: %v", statuses)
	}
	if n := searchFiles(t, filepath.Join(dir, "journal"), "/control-page"); n == 0 {
		t.Error("the search does not find what is in the journal")
	}
	pages := p.settled(demo)
	if pages["/control-page"] < 4 {
		t.Errorf("too few marked agents were kept: %v", pages)
	}
	searchFiles(t, dir, "")
	for _, path := range []string{"/metrics", "/debug/pprof/goroutine?debug=2"} {
		got, err := call(newClient(), "GET", "http://"+operators+path, "")
		if err != nil || got.status != 200 {
			t.Fatalf("%s: %+v, %v", path, got, err)
		}
		search(t, path, []byte(got.body))
	}
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	searchFiles(t, dir, "")
	search(t, "the log", []byte(p.log.String()))
	search(t, "the output", []byte(p.out.String()))
	if !strings.Contains(p.log.String(), "engine closed") {
		t.Error("the log is not the log")
	}

	// Columns are compressed on disk: what is in them is asked for.
	e := startEngine(t, dir, freeAddress(t))
	database := e.sql("SELECT database FROM system.tables WHERE name = 'events' AND database != 'system'")
	rows := e.sql("SELECT * FROM " + database + ".events FORMAT JSONEachRow")
	if !strings.Contains(rows, "/control-page") {
		t.Error("the rows are not the rows")
	}
	search(t, "a row", []byte(rows))
}
