package engine

import "testing"

func TestParseStatement(t *testing.T) {
	f := func(text string, want statement) {
		t.Helper()
		if want.sql == "" {
			want.sql = text
		}
		if got := parseStatement(text); got != want {
			t.Errorf("%q:\n got %+v\nwant %+v", text, got, want)
		}
	}
	f("", statement{})
	f("SELECT 1", statement{})
	f("SELECT 1 FORMAT Native", statement{format: "Native"})
	f("SELECT 'FORMAT TSV' /* FORMAT CSV */ -- FORMAT XML\n", statement{})
	f("SELECT (SELECT 1 FORMAT x)", statement{})
	f("SELECT `a\\` FORMAT b`, \"c\"\"FORMAT d\", $$ FORMAT e $$, $x$ FORMAT $y$ $x$, 'it''s FORMAT f'", statement{})
	f("SELECT 1 INTO OUTFILE 'x'", statement{file: true})
	f("SELECT 'INTO OUTFILE'", statement{})
	f("INSERT INTO t FORMAT Native", statement{sql: "INSERT INTO t ", format: "Native", insert: true})
	f("insert into t (`a`, b) format Native", statement{sql: "insert into t (`a`, b) ", format: "Native", insert: true})
	f("/* INSERT */ INSERT INTO `values` VALUES (1)", statement{sql: "/* INSERT */ INSERT INTO `values` ", format: "Values", insert: true, inline: " (1)"})
	f("INSERT INTO t (format, values) SETTINGS a = 'VALUES' FORMAT CSV\n1,2", statement{sql: "INSERT INTO t (format, values) SETTINGS a = 'VALUES' ", format: "CSV", insert: true, inline: "\n1,2"})
	f("INSERT INTO t", statement{format: "Values", insert: true})
	f("INSERT INTO t SELECT 1 FORMAT x", statement{format: "x"})
	f("INSERT INTO t (a) WITH x AS (SELECT 1) SELECT * FROM x", statement{})
	f("EXPLAIN INSERT INTO t VALUES (1)", statement{})
	f("INSERT INTO t FROM INFILE 'x' FORMAT CSV", statement{sql: "INSERT INTO t FROM INFILE 'x' ", format: "CSV", insert: true, file: true})
	f("SELECT 'open", statement{})
	f("SELECT /* open", statement{})
	f("SELECT $open", statement{})
	f("SELECT ')' FORMAT CSV", statement{format: "CSV"})
}

func FuzzParseStatement(f *testing.F) {
	f.Add("INSERT INTO t (a) FORMAT CSV\n1")
	f.Add("SELECT '\\")
	f.Fuzz(func(t *testing.T, text string) {
		st := parseStatement(text)
		if len(st.sql)+len(st.inline) > len(text) {
			t.Errorf("%q became longer: %+v", text, st)
		}
	})
}

func TestSetSQL(t *testing.T) {
	f := func(settings map[string]string, want string) {
		t.Helper()
		if got := (&request{settings: settings}).setSQL(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(nil, "")
	f(map[string]string{"b": "2", "a": `it's \`}, `SET a = 'it\'s \\', b = '2'`)
}

func TestQuoteName(t *testing.T) {
	if got, want := quoteName("a`b\\c"), "`a\\`b\\\\c`"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
