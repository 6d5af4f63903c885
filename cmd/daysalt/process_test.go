package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/testkit"
)

// asDaysalt in the environment makes this binary the program itself: the tests drive real processes that run the code under test.
const asDaysalt = "TEST_AS_DAYSALT"

// chrome is the agent of somebody real.
const chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"

func TestMain(m *testing.M) {
	if os.Getenv(asDaysalt) == "" {
		os.Exit(inRuntimeDir(m.Run))
	}
	// The test holds the other end. When it dies, however it dies, so does this.
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	main()
}

// inRuntimeDir gives all servers that run starts one directory for their keys, so that none is left behind in the user's own.
func inRuntimeDir(run func() int) int {
	dir, err := os.MkdirTemp("/dev/shm", "daysalt-test-")
	if err != nil { // without it they keep their keys in memory
		return run()
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Setenv("RUNTIME_DIRECTORY", dir); err != nil {
		panic(err)
	}
	return run()
}

// process is daysalt running.
type process struct {
	t        *testing.T
	cmd      *exec.Cmd
	stdin    io.Closer
	out, log output
	ended    chan struct{}
	base     string // of serve and engine: where it answers
}

// output collects what a process writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start runs a command line with more in its environment.
func start(t *testing.T, environment []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0], args...), ended: make(chan struct{})}
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "DAYSALT_") {
			p.cmd.Env = append(p.cmd.Env, pair)
		}
	}
	p.cmd.Env = append(append(p.cmd.Env, asDaysalt+"=1"), environment...)
	p.cmd.Dir = t.TempDir() // without a daysalt.yaml
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.log
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // the state says how it ended
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		if text := p.log.String(); t.Failed() && p.base != "" {
			t.Logf("%s wrote:\n%s%s", args[0], &p.out, text[max(0, len(text)-4000):])
		}
	})
	return p
}

// await returns the first group of pattern in what the process printed.
func (p *process) await(pattern string) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if found := re.FindStringSubmatch(p.out.String()); found != nil {
			return found[1]
		}
		select {
		case <-p.ended:
			p.t.Fatalf("it ended with %d before it printed %q", p.cmd.ProcessState.ExitCode(), pattern)
		default:
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("it never printed %q", pattern)
		}
	}
}

// awaitLog waits until a text is in the log.
func (p *process) awaitLog(text string) {
	p.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(p.log.String(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("the log never said %q", text)
		}
	}
}

// wait returns the exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		p.t.Fatal("it does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

// stop asks it to end and returns its exit code.
func (p *process) stop() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	return p.wait()
}

// kill ends it without a chance to do anything.
func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	p.wait()
}

// serve starts a server on a data directory and waits until it takes requests. It has no operators' listener unless args name one.
func serve(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p := start(t, nil, append([]string{
		"serve", "--data-dir", dir, "--engine-library", testkit.Library(t), "--web-listen", "127.0.0.1:0", "--admin-listen=",
	}, args...)...)
	p.base = p.await(`dashboard  (http://\S+)/\n`)
	return p
}

// daysalt runs a command to its end.
func daysalt(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	p := start(t, nil, args...)
	code = p.wait()
	return code, p.out.String(), p.log.String()
}

// siteCommand runs a command about sites on a data directory, and expects success.
func siteCommand(t *testing.T, dir string, args ...string) string {
	t.Helper()
	args = append([]string{"site"}, args...)
	code, stdout, stderr := daysalt(t, append(args, "--data-dir", dir, "--engine-library", testkit.Library(t))...)
	if code != 0 {
		t.Fatalf("%v ended with %d: %s%s", args, code, stdout, stderr)
	}
	return stdout
}

// freeAddress returns an address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// answer is what came back over HTTP.
type answer struct {
	status int
	header http.Header
	body   string
}

// call sends one request. Headers are pairs; Host among them is the one that is sent.
func call(client *http.Client, method, url, body string, headers ...string) (answer, error) {
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("User-Agent", chrome)
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	got, err := client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	return answer{got.StatusCode, got.Header, string(text)}, err
}

func newClient() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}}
}

// do is call with an answer that must come.
func (p *process) do(method, path, body string, headers ...string) answer {
	p.t.Helper()
	client := newClient()
	defer client.CloseIdleConnections()
	got, err := call(client, method, p.base+path, body, headers...)
	if err != nil {
		p.t.Fatal(err)
	}
	return got
}

// pageview is the body of one.
func pageview(domain, path string) string {
	return fmt.Sprintf(`{"n":"pageview","u":"https://%s%s","d":%q}`, domain, path, domain)
}

// post sends an event that must be kept.
func (p *process) post(domain, path string) {
	p.t.Helper()
	if got := p.do("POST", "/api/event", pageview(domain, path)); got.status != 202 || got.header.Get("X-Plausible-Dropped") != "" {
		p.t.Fatalf("%s: %+v", path, got)
	}
}

// pages asks how many pageviews each path of a site has. Yesterday and tomorrow are asked for too, so that midnight may come.
func (p *process) pages(domain string) (map[string]int, error) {
	p.t.Helper()
	day := func(n int) string { return time.Now().UTC().AddDate(0, 0, n).Format(time.DateOnly) }
	question := fmt.Sprintf(`{"site_id":%q,"metrics":["pageviews"],"dimensions":["event:page"],"date_range":[%q,%q],"pagination":{"limit":10000}}`,
		domain, day(-1), day(1))
	got := p.do("POST", "/api/v2/query", question, "Content-Type", "application/json")
	if got.status != 200 {
		return nil, errors.New(got.body)
	}
	var rows struct {
		Results []struct {
			Dimensions []string
			Metrics    []int
		}
	}
	if err := json.Unmarshal([]byte(got.body), &rows); err != nil {
		p.t.Fatal(err)
	}
	pages := map[string]int{}
	for _, row := range rows.Results {
		pages[row.Dimensions[0]] = row.Metrics[0]
	}
	return pages, nil
}

// settled posts one last page and waits until it is in the answers. Events are stored in order, so everything kept before it is there then.
func (p *process) settled(domain string) map[string]int {
	p.t.Helper()
	// The time in letters: digits that many are taken for somebody's number.
	last := "/last/" + strings.Map(func(r rune) rune { return r - '0' + 'g' }, strconv.FormatInt(time.Now().UnixNano()%1e15, 10))
	p.post(domain, last)
	return p.awaitPage(domain, last)
}

// awaitPage waits until a page is in the answers, and returns all others.
func (p *process) awaitPage(domain, path string) map[string]int {
	p.t.Helper()
	var pages map[string]int
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if pages, err = p.pages(domain); err == nil && pages[path] > 0 {
			if pages[path] != 1 {
				p.t.Errorf("%s is stored %d times", path, pages[path])
			}
			delete(pages, path)
			return pages
		}
	}
	p.t.Fatalf("%s is not in the answers: %d pages, %v", path, len(pages), err)
	return nil
}
