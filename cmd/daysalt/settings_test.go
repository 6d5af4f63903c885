package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daysalt/daysalt/internal/testkit"
)

// settingPassword is in connection strings, and in nothing that is printed.
const settingPassword = "hunter2"

// refusedWithin is how long it may take to say that a setting is wrong. It takes a fraction of a second on an idle machine.
const refusedWithin = 10 * time.Second

// refused starts a server that must not start: it says so with exit code 2 and all the texts, and leaves everything below dirs as it was.
func refused(t *testing.T, dirs, environment, args []string, texts ...string) {
	t.Helper()
	before := treeOf(t, dirs...)
	began := time.Now()
	p := start(t, environment, append([]string{"serve", "--web-listen", "127.0.0.1:0", "--admin-listen=", "--engine-library", testkit.Library(t)}, args...)...)
	code := p.wait()
	said := p.log.String()
	if took := time.Since(began); code != 2 || p.out.String() != "" || took > refusedWithin {
		t.Errorf("%q %q ended with %d after %v: %q%q", environment, args, code, took, &p.out, said)
	}
	for _, text := range texts {
		if !strings.Contains(said, text) {
			t.Errorf("%q %q: no %q in %q", environment, args, text, said)
		}
	}
	for _, text := range []string{settingPassword, "panic", "goroutine"} {
		if strings.Contains(said, text) {
			t.Errorf("%q %q: %q in %q", environment, args, text, said)
		}
	}
	if after := treeOf(t, dirs...); !slices.Equal(before, after) {
		t.Errorf("%q %q: there were %d files and are %d: %q ...", environment, args, len(before), len(after), after[:min(len(after), 3)])
	}
}

// treeOf lists everything below directories that are there or not.
func treeOf(t *testing.T, dirs ...string) []string {
	t.Helper()
	found := map[string]bool{}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err == nil {
				found[path] = true
			} else if os.IsNotExist(err) {
				return nil
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// onDisk returns a directory that is not in memory, and inMemory one that is, both the test's own.
func onDisk(t *testing.T) string {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []string{t.TempDir(), here, "/var/tmp"} {
		dir, err := os.MkdirTemp(in, "daysalt-test-") //nolint:usetesting // which may be in memory
		if err != nil {
			continue
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		var stat unix.Statfs_t
		if err := unix.Statfs(dir, &stat); err != nil {
			t.Fatal(err)
		}
		const tmpfs, ramfs = 0x01021994, 0x858458f6
		if kind := uint32(stat.Type); kind != tmpfs && kind != ramfs {
			return dir
		}
	}
	t.Fatal("there is no directory on a disk")
	return ""
}

func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "daysalt-test-") //nolint:usetesting // which may be on a disk
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// A setting of addresses and keys that is not allowed ends the start, by whichever way it came, before anything is made. What is allowed is said.
func TestSettings_refused(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	f := func(key, value string, texts ...string) {
		t.Helper()
		name := strings.NewReplacer(".", "-", "_", "-").Replace(key)
		variable := "DAYSALT_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
		section, member, _ := strings.Cut(key, ".")
		more := strings.Fields(map[string]string{
			"salt.dsn": "--salt-storage postgres", "web.client_header": "--web-trusted-proxies 10.0.0.0/8",
		}[key])
		file := filepath.Join(t.TempDir(), "settings.yaml")
		if err := os.WriteFile(file, fmt.Appendf(nil, "%s:\n  %s: %q\n", section, member, value), 0o600); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, key+": ")
		with := append([]string{"--data-dir", dir}, more...)
		refused(t, []string{dir}, []string{variable + "=" + value}, with, texts...)
		refused(t, []string{dir}, nil, append(with, "--config", file), texts...)
		if key != "addresses.store" { // a flag that is true or false is refused as a flag
			refused(t, []string{dir}, nil, append(with, "--"+name+"="+value), texts...)
		}
	}
	f("salt.storage", "disk", `is "disk"`, "runtime, memory or postgres")
	f("salt.storage", "", "runtime, memory or postgres")
	f("salt.dsn", "", "postgres://")
	f("salt.dsn", "mysql://salt:"+settingPassword+"@127.0.0.1/salt", "postgres://")
	f("salt.dsn", settingPassword, "postgres://")
	f("web.trusted_proxies", "10.0.0.0/8,10.1.0.0/16", `"10.0.0.0/8" and "10.1.0.0/16"`, "overlap", "leave one of them out")
	f("web.trusted_proxies", "192.0.2.7,192.0.2.7", "overlap")
	f("web.trusted_proxies", "10.0.0.1/8", "10.0.0.0/8", "10.0.0.1 for the one address")
	f("web.trusted_proxies", "0.0.0.0/0", "believe anybody", "name the networks of your proxies")
	f("web.trusted_proxies", "::/0", "believe anybody")
	f("web.trusted_proxies", "::ffff:0.0.0.0/96", "believe anybody")
	f("web.trusted_proxies", "192.0.2.7,the proxy", `"the proxy"`, "2001:db8::/32")
	f("web.trusted_proxies", "10.0.0.0/33", "2001:db8::/32")
	f("web.trusted_proxies", "10.0.0.010", "2001:db8::/32")
	f("web.client_header", "Cookie", `"Cookie"`, "CF-Connecting-IP")
	f("web.client_header", "X-Forwarded-For: 1", "letters, digits and hyphens")
	f("addresses.store", "maybe", "must be true or false")
	refused(t, []string{dir}, nil, []string{"--data-dir", dir, "--addresses-store=maybe"}, "--addresses-store", "must be true or false")

	// What is allowed alone, and not with another setting.
	g := func(text string, args ...string) {
		t.Helper()
		refused(t, []string{dir}, nil, append(args, "--data-dir", dir), text)
	}
	const dsn = "postgres://salt:" + settingPassword + "@127.0.0.1/salt"
	g("web.client_header: is believed from nobody until web.trusted_proxies names a network", "--web-client-header", "CF-Connecting-IP")
	g("salt.dsn: is only for salt.storage: postgres", "--salt-dsn", dsn)
	g("salt.dsn: is only for salt.storage: postgres", "--salt-storage", "memory", "--salt-dsn", dsn)
	g("salt.dsn: must begin with postgres:// where salt.storage is postgres", "--salt-storage", "postgres")
	g("salt.runtime_dir: is not for salt.storage: memory", "--salt-storage", "memory", "--salt-runtime-dir", "/dev/shm/daysalt-test-not-made")
}

// Keys are kept nowhere but in memory: a directory elsewhere is refused, and neither it nor a data directory is made.
func TestSettings_runtimeDir(t *testing.T) {
	t.Parallel()
	disk, memory := onDisk(t), inMemory(t)
	file, open, link := filepath.Join(memory, "file"), filepath.Join(memory, "open"), filepath.Join(memory, "link")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil { // past the umask
		t.Fatal(err)
	}
	if err := os.Symlink(disk, link); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data")
	f := func(value, why string) {
		t.Helper()
		settings := filepath.Join(t.TempDir(), "settings.yaml")
		if err := os.WriteFile(settings, fmt.Appendf(nil, "salt:\n  runtime_dir: %q\n", value), 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, []string{data, disk, memory}, nil, []string{"--data-dir", data, "--config", settings},
			"salt.runtime_dir: "+value, why, "Allowed is a directory on tmpfs or ramfs")
	}
	f(disk, "on tmpfs")
	f(filepath.Join(disk, "to", "be", "made"), "on tmpfs")
	f(link, "on tmpfs")
	f(filepath.Join(link, "to", "be", "made"), "on tmpfs")
	f(file, "not a directory")
	f(filepath.Join(file, "below"), "not a directory") // cannot be made, whoever asks
	f(open, "others may write to it")
	refused(t, []string{data, disk, memory}, []string{"DAYSALT_SALT_RUNTIME_DIR=" + disk}, []string{"--data-dir", data}, "salt.runtime_dir: "+disk)
	refused(t, []string{data, disk, memory}, nil, []string{"--data-dir", data, "--salt-runtime-dir", disk}, "salt.runtime_dir: "+disk)

	// A data directory that is there stays as it is, and is nobody's afterwards.
	kept := t.TempDir()
	siteCommand(t, kept, "add", "shop.example")
	refused(t, []string{kept, disk, memory}, nil, []string{"--data-dir", kept, "--salt-runtime-dir", disk}, "salt.runtime_dir: "+disk)
	serve(t, kept, "--salt-runtime-dir", filepath.Join(memory, "made"))
	if info, err := os.Stat(filepath.Join(memory, "made")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("a directory in memory was not made for its owner: %v, %v", info, err)
	}
}

// A connection string that cannot be read names its setting, and shows nothing of itself.
func TestSettings_connectionString(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	for _, dsn := range []string{
		"postgres://salt:" + settingPassword + "@127.0.0.1:port/salt",
		"postgres://salt:" + settingPassword + "@127.0.0.1/salt?sslmode=perhaps",
		"postgresql://salt:" + settingPassword + "@[::1/salt",
	} {
		refused(t, []string{data}, []string{"DAYSALT_SALT_DSN=" + dsn, "DAYSALT_SALT_STORAGE=postgres"}, []string{"--data-dir", data}, "salt.dsn: ", "postgres://")
	}
}

// A PostgreSQL that is away or refuses does not keep a server from starting and counting: it warns, makes keys of its own, and shows no password.
func TestSettings_postgresAway(t *testing.T) {
	t.Parallel()
	pg := testkit.StartPostgres(t)
	f := func(dsn, why string) {
		t.Helper()
		p := serve(t, t.TempDir(), "--web-demo", "--salt-storage", "postgres", "--salt-dsn", dsn, "--log-level", "debug")
		p.post(demo, "/kept")
		p.awaitLog("the shared key store fails")
		p.awaitLog(why)
		if got := p.settled(demo); got["/kept"] != 1 {
			t.Errorf("%s: stored %v", why, got)
		}
		if code := p.stop(); code != 0 {
			t.Errorf("%s: exit code %d", why, code)
		}
		for _, text := range []string{settingPassword, "panic"} {
			if said := p.log.String() + p.out.String(); strings.Contains(said, text) {
				t.Errorf("%s: %q in %s", why, text, said)
			}
		}
	}
	f("postgres://salt:"+settingPassword+"@"+freeAddress(t)+"/salt?sslmode=disable", "connection refused")
	f(pg.User("daysalt", settingPassword), "the server does not accept user and password")
}

// What is wrong about a site's addresses and rules is said by its name with what is allowed, and changes nothing; with a server and without.
func TestSettings_site(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	siteCommand(t, dir, "add", "shop.example", "--address-mask", "3", "--hash-address", "masked", "--geo-from", "off")
	siteCommand(t, dir, "redact", "add", "shop.example", "--match", "^/customers/([^/]+)", "--as", "{customer}")
	want := siteCommand(t, dir, "list", "--json")
	f := func(text string, args ...string) {
		t.Helper()
		code, stdout, stderr := daysalt(t, append(append([]string{"site"}, args...), "--data-dir", dir, "--engine-library", testkit.Library(t))...)
		if code != 2 || !strings.Contains(stderr, text) || stdout != "" || strings.Contains(stderr, "panic") {
			t.Errorf("%q ended with %d: no %q in %q%q", args, code, text, stdout, stderr)
		}
	}
	const masks, hashes, geos = "must be between 1 (/24 and /64 are left) and 4", "must be full or masked", "must be cut, masked or off"
	f("address_mask: is 7, and "+masks, "set", "shop.example", "--address-mask", "7")
	f("timezone: \"Mars/Olympus\" is not a time zone; use a name such as Europe/Berlin", "add", "blog.example", "--timezone", "Mars/Olympus")
	f("redact[1].as: ", "redact", "add", "shop.example", "--match", "jane", "--as", "customer")
	f(`preset: is "lax", and must be default, masked, cnil or strict`, "set", "shop.example", "--preset", "lax")
	serve(t, dir)
	for _, command := range [][]string{{"add", "blog.example"}, {"set", "shop.example"}} {
		g := func(text string, args ...string) {
			t.Helper()
			f(text, append(slices.Clone(command), args...)...)
		}
		g("address_mask: is 7, and "+masks, "--address-mask", "7")
		g("address_mask: is 0, and "+masks, "--address-mask", "0")
		g("address_mask: is -1, and "+masks, "--address-mask", "-1")
		g(`"x" for "--address-mask"`, "--address-mask", "x")
		g(`hash_address: is "half", and `+hashes, "--hash-address", "half")
		g(`geo_from: is "city", and `+geos, "--geo-from", "city")
		g("Mars/Olympus", "--timezone", "Mars/Olympus")
		g("address_mask: ", "--retention-days", "30", "--geo-from", "cut", "--address-mask", "7") // and the rest is not taken either
		badPresets(g)
	}
	const fields = "must be path, referrer, campaign, props, name or all"
	const names = "must be a name in braces such as {customer}"
	f(`redact[1].field: is "city", and `+fields, "redact", "add", "shop.example", "--field", "city", "--match", "jane", "--as", "{customer}")
	f("redact[1].match: is no RE2 expression: missing closing ): `(jane`", "redact", "add", "shop.example", "--match", "(jane", "--as", "{customer}")
	f("redact[1].match: is no RE2 expression", "redact", "add", "shop.example", "--match", "(?!jane)", "--as", "{customer}")
	f("redact[1].match: matches an empty text, and must not", "redact", "add", "shop.example", "--match", "j*", "--as", "{customer}")
	f("redact[1].match: has 0 bytes, and must have 1 to 200", "redact", "add", "shop.example", "--match", "", "--as", "{customer}")
	f("redact[1].match: has 201 bytes", "redact", "add", "shop.example", "--match", strings.Repeat("j", 201), "--as", "{customer}")
	f(`redact[1].as: is "customer", and `+names, "redact", "add", "shop.example", "--match", "jane", "--as", "customer")
	f(`redact[1].as: is "{Customer}", and `+names, "redact", "add", "shop.example", "--match", "jane", "--as", "{Customer}")
	f(`redact[1].as: is "{}", and `+names, "redact", "add", "shop.example", "--match", "jane", "--as", "{}")
	f(`redact[1].as: is "", and `+names, "redact", "add", "shop.example", "--match", "jane")
	f("redact[1].as: ", "redact", "add", "shop.example", "--match", "jane", "--as", "{0a1b2c3d4e5f6a7b8c9d0}") // a token
	if got := siteCommand(t, dir, "list", "--json"); got != want {
		t.Errorf("the sites are %s, and were %s", got, want)
	}
}

// badPresets are the part of TestSettings_site about presets and what goes with them.
func badPresets(g func(text string, args ...string)) {
	const presets = "must be default, masked, cnil or strict"
	g(`preset: is "lax", and `+presets, "--preset", "lax")
	g(`preset: is "CNIL", and `+presets, "--preset", "CNIL")
	g(`preset: is "", and `+presets, "--preset", "")
	g("retention_days: is -1, and must be between 1 and 3650", "--preset", "strict", "--retention-days", "-1")
	g("retention_days: is 0, and must be between 1 and 3650", "--retention-days", "0")
	g("retention_days: is 3651, and must be between 1 and 3650", "--retention-days", "3651")
	g("min_visitors: is -1, and must be between 0 (answers show every row) and 1000", "--min-visitors", "-1")
	g("min_visitors: is 1001, and must be between 0 (answers show every row) and 1000", "--min-visitors", "1001")
	g("--min-visitors must be a whole number", "--min-visitors", "ten")
	g("--city must be true or false", "--city=maybe")
	g("--dnt must be true or false", "--dnt=2")
	g("allow_props: has 0 bytes in name 2, and must have 1 to 300", "--allow-props", "plan,,size")
	g("allow_props: has 301 bytes in name 1, and must have 1 to 300", "--allow-props", strings.Repeat("p", 301))
	g("allow_props: has 51 names, and must have at most 50", "--allow-props", strings.Repeat("p,", 50)+"p")
	g(`allow_props: has "plan" twice, and must have each name once`, "--allow-props", "plan,size, plan")
	g("brand_name: has 61 characters, and must have at most 60", "--brand-name", strings.Repeat("ü", 61))
	g("brand_name: must be one line of UTF-8 without control characters", "--brand-name", "a\tb")
	const colors = "must be #rrggbb such as #1a5fb4, or empty for the default; any colour will do"
	g(`brand_color: is "red", and `+colors, "--brand-color", "red")
	g(`brand_color: is "#fff", and `+colors, "--brand-color", "#fff")
	g(`brand_color: is "#12345g", and `+colors, "--brand-color", "#12345g")
}
