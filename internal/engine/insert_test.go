package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

const deduplicating = "(a UInt64, s LowCardinality(String)) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 1000"

// send inserts the rows from..to-1 under a token.
func send(ctx context.Context, conn driver.Conn, name, token string, from, to uint64) error {
	batch, err := conn.PrepareBatch(withSettings(ctx, clickhouse.Settings{"insert_deduplication_token": token}), "INSERT INTO "+name)
	if err != nil {
		return err
	}
	numbers, texts := make([]uint64, 0, to-from), make([]string, 0, to-from)
	for i := from; i < to; i++ {
		numbers, texts = append(numbers, i), append(texts, "/page")
	}
	if err := batch.Column(0).Append(numbers); err != nil {
		return err
	}
	if err := batch.Column(1).Append(texts); err != nil {
		return err
	}
	return batch.Send()
}

func parts(t *testing.T, conn driver.Conn, name string) uint64 {
	t.Helper()
	return number(t, conn, "SELECT count() FROM system.parts WHERE table = {t:String} AND level = 0", clickhouse.Named("t", name))
}

func TestInsert_millionRowsAreOneBlock(t *testing.T) {
	conn := open(t, shared)
	name := table(t, conn, deduplicating)
	const million = 1_000_000
	for range 2 { // the second time is a replay
		if err := send(t.Context(), conn, name, "million", 0, million); err != nil {
			t.Fatal(err)
		}
		if n, sum := number(t, conn, "SELECT count() FROM "+name), number(t, conn, "SELECT sum(a) FROM "+name); n != million || sum != million*(million-1)/2 {
			t.Fatalf("%d rows with sum %d", n, sum)
		}
	}
	if n := parts(t, conn, name); n != 1 {
		t.Errorf("the batch became %d parts, want 1", n)
	}
}

func TestInsert_manyBatchesWithReplays(t *testing.T) {
	for way, conn := range ways(t) {
		t.Run(way, func(t *testing.T) {
			name := table(t, conn, deduplicating)
			const batches, size = 20, 50_000
			for i := range uint64(batches) {
				for range 1 + i%2 { // every other batch is sent twice
					if err := send(t.Context(), conn, name, fmt.Sprint("batch ", i), i*size, (i+1)*size); err != nil {
						t.Fatal(err)
					}
				}
			}
			const rows = batches * size
			if n, sum := number(t, conn, "SELECT count() FROM "+name), number(t, conn, "SELECT sum(a) FROM "+name); n != rows || sum != rows*(rows-1)/2 {
				t.Errorf("%d rows with sum %d, want %d", n, sum, rows)
			}
		})
	}
}

// A body of many native blocks, as other clients send it, is one block of the engine too.
func TestInsert_manyBlocksUnderOneToken(t *testing.T) {
	conn := open(t, shared)
	name := table(t, conn, deduplicating)
	blocks := post(t, "SELECT number AS a, '/page' AS s FROM numbers(300000) SETTINGS max_block_size = 10000, max_threads = 1", nil, "Native")
	for range 2 {
		query := url.Values{"query": {"INSERT INTO " + name + " (a, s) FORMAT Native"}, "insert_deduplication_token": {"blocks"}}
		if status, body := do(t, http.MethodPost, query, strings.NewReader(blocks)); status != http.StatusOK || body != "" {
			t.Fatalf("%d %s", status, body)
		}
		if n := number(t, conn, "SELECT count() FROM "+name); n != 300_000 {
			t.Fatalf("%d rows", n)
		}
	}
	if n := parts(t, conn, name); n != 1 {
		t.Errorf("%d parts, want 1", n)
	}
}

func TestInsert_tokens(t *testing.T) {
	for way, conn := range ways(t) {
		t.Run(way, func(t *testing.T) {
			name := table(t, conn, deduplicating)
			for i, step := range []struct {
				token string
				want  uint64
			}{{"one", 10}, {"one", 10}, {"two", 20}, {"two", 20}, {"one", 20}, {"it's \\ odd", 30}, {"it's \\ odd", 30}} {
				if err := send(t.Context(), conn, name, step.token, 0, 10); err != nil {
					t.Fatal(err)
				}
				if n := number(t, conn, "SELECT count() FROM "+name); n != step.want {
					t.Fatalf("step %d, token %s: %d rows, want %d", i, step.token, n, step.want)
				}
			}
		})
	}
}

func TestInsert_ways(t *testing.T) {
	conn := open(t, shared)
	const columns = "(a UInt64, s String DEFAULT 'none') ENGINE = Memory"
	f := func(name, inURL, body, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			name := table(t, conn, columns)
			query := url.Values{}
			if inURL != "" {
				query.Set("query", strings.ReplaceAll(inURL, "TABLE", name))
			}
			if status, answer := do(t, http.MethodPost, query, strings.NewReader(strings.ReplaceAll(body, "TABLE", name))); status != http.StatusOK {
				t.Fatalf("%d %s", status, answer)
			}
			if got := post(t, "SELECT * FROM "+name+" ORDER BY a", nil, "TSV"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	long := strings.Repeat("0123456789", 30_000) // more than the 262,144 bytes where the library cuts inline data
	f("values in the body", "", "INSERT INTO TABLE VALUES (1, 'x'),\n(2, 'a\nb')", "1\tx\n2\ta\\nb\n")
	f("values with columns and expressions", "", "insert into TABLE (a) values (1 + 1)", "2\tnone\n")
	f("long values", "", "INSERT INTO TABLE VALUES (1, '"+long+"'),\n(2, 'b')", "1\t"+long+"\n2\tb\n")
	f("values in the URL", "INSERT INTO TABLE VALUES (1, 'x')", "", "1\tx\n")
	f("statement in the URL, data in the body", "INSERT INTO TABLE (s, a) FORMAT TSV", "x\t1\ny\t2\n", "1\tx\n2\ty\n")
	f("statement and data in the body", "", "INSERT INTO TABLE FORMAT TSV\n1\tx\n2\ty\n", "1\tx\n2\ty\n")
	f("JSON lines in the body", "", "INSERT INTO TABLE FORMAT JSONEachRow {\"a\":1}\n{\"a\":2,\"s\":\"y\"}\n", "1\tnone\n2\ty\n")
	f("settings in the statement", "INSERT INTO TABLE SETTINGS max_threads = 1 FORMAT CSV", "1,x\n", "1\tx\n")
	f("select", "", "INSERT INTO TABLE SELECT number, 'FORMAT x' FROM numbers(2)", "0\tFORMAT x\n1\tFORMAT x\n")
	f("no FORMAT", "INSERT INTO TABLE (a, s)", "(1, 'x')", "1\tx\n")
	f("no data", "INSERT INTO TABLE FORMAT TSV", "", "")
}

func TestInsert_errorsStoreNothing(t *testing.T) {
	for way, conn := range ways(t) {
		t.Run(way, func(t *testing.T) {
			name := table(t, conn, "(a UInt64, s LowCardinality(String), CONSTRAINT small CHECK a < 5) ENGINE = MergeTree ORDER BY a")
			if err := send(t.Context(), conn, name, "bad", 0, 10); code(err) != 469 {
				t.Errorf("violated constraint: want code 469, got %v", err)
			}
			if _, err := conn.PrepareBatch(t.Context(), "INSERT INTO nowhere"); code(err) != 60 {
				t.Errorf("unknown table: want code 60, got %v", err)
			}
			if err := conn.Exec(t.Context(), "INSERT INTO "+name+" VALUES ('x', 'y')"); code(err) <= 0 {
				t.Errorf("wrong type: want an exception, got %v", err)
			}
			if err := conn.Exec(t.Context(), "INSERT INTO "+name+" (nocolumn) VALUES (1)"); code(err) != 16 {
				t.Errorf("unknown column: want code 16, got %v", err)
			}
			batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO "+name)
			if err != nil {
				t.Fatal(err)
			}
			if err := batch.Append("x", "y"); err == nil {
				t.Error("the driver took a text for a number")
			}
			if n := number(t, conn, "SELECT count() FROM "+name); n != 0 {
				t.Errorf("%d rows stored by failed inserts", n)
			}
		})
	}
}

// cut is a body that breaks off with an error.
type cut struct {
	io.Reader
	err error
}

func (c cut) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = c.err
	}
	return n, err
}

func TestInsert_cutBodyStoresNothing(t *testing.T) {
	conn := open(t, shared)
	name := table(t, conn, deduplicating)
	target := local + "/?query=" + url.QueryEscape("INSERT INTO "+name+" FORMAT TSV")
	for _, end := range []error{errors.New("connection reset"), io.ErrUnexpectedEOF} { // the latter is net/http's for a short body
		body := cut{strings.NewReader(strings.Repeat("1\tx\n", 200_000)), end}
		w := httptest.NewRecorder()
		shared.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, target, body))
		if w.Code == http.StatusOK || !strings.Contains(w.Body.String(), end.Error()) {
			t.Errorf("%v: %d %s", end, w.Code, w.Body)
		}
		if n := number(t, conn, "SELECT count() FROM "+name); n != 0 {
			t.Errorf("%v: %d rows of a cut body are stored", end, n)
		}
	}
}
