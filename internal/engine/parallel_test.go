package engine_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/go-cmp/cmp"
)

func TestParallel_parameters(t *testing.T) {
	for way, conn := range ways(t) {
		t.Run(way, func(t *testing.T) {
			var wg sync.WaitGroup
			for w := range 8 {
				wg.Go(func() {
					for i := range 100 {
						if err := askBack(t.Context(), conn, w, i); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// askBack sends values that are hard to quote and checks that they come back as they were.
func askBack(ctx context.Context, conn driver.Conn, w, i int) error {
	odd := []string{"'", `\`, "\x00", "\n", "\t", "\r", `\n`, `\N`, "''", "\u00e9\u65e5\U0001F9C2", "{p:String}", "; DROP TABLE t", "\b\f", ""}
	text := fmt.Sprintf("%d%s%d%s", w, odd[i%len(odd)], i, odd[(i/len(odd)+w)%len(odd)])
	list := []string{text, odd[(i+w)%len(odd)], "plain"}
	var gotText string
	var gotList []string
	var gotNumber uint64
	row := conn.QueryRow(ctx, "SELECT {text:String}, {list:Array(String)}, {number:UInt64}",
		clickhouse.Named("text", text), clickhouse.Named("list", list), clickhouse.Named("number", uint64(i)))
	if err := row.Scan(&gotText, &gotList, &gotNumber); err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	if gotText != text || cmp.Diff(list, gotList) != "" || gotNumber != uint64(i) {
		return fmt.Errorf("sent %q %q %d, got %q %q %d", text, list, i, gotText, gotList, gotNumber)
	}
	return nil
}

// Settings, SET statements, parameters and temporary tables of one request are not there for the next, whichever connection it gets.
func TestParallel_nothingLeaks(t *testing.T) {
	conn := open(t, shared)
	usual := number(t, conn, "SELECT toUInt64(getSetting('max_block_size'))")
	loud := withSettings(t.Context(), clickhouse.Settings{"max_block_size": 7})
	for range 20 {
		var n uint64
		if err := conn.QueryRow(loud, "SELECT toUInt64(getSetting('max_block_size'))").Scan(&n); err != nil || n != 7 {
			t.Fatalf("with the setting: %d, %v", n, err)
		}
		must(t, conn, "SET max_block_size = 9")
		must(t, conn, "CREATE TEMPORARY TABLE leak (x UInt8)")
		must(t, conn, "SET param_p = 'leak'")
		if n := number(t, conn, "SELECT toUInt64(getSetting('max_block_size'))"); n != usual {
			t.Fatalf("max_block_size = %d after a request that set it, want %d", n, usual)
		}
		if err := conn.Exec(t.Context(), "SELECT * FROM leak"); code(err) != 60 {
			t.Fatalf("the temporary table of another request: %v", err)
		}
		if err := conn.Exec(t.Context(), "SELECT {p:String}"); code(err) != 456 {
			t.Fatalf("the parameter of another request: %v", err)
		}
	}
}

// A connection of the library keeps what a failed query had written and puts it before the next answer. Nobody may see that.
func TestParallel_failedQueryLeavesNothing(t *testing.T) {
	conn := open(t, shared)
	for range 30 {
		err := conn.Exec(t.Context(), "SELECT throwIf(number = 3000000, 'stop') FROM numbers(10000000) SETTINGS max_block_size = 1000")
		if code(err) != 395 {
			t.Fatalf("want code 395, got %v", err)
		}
		if n := number(t, conn, "SELECT count() FROM (SELECT 1 WHERE 0)"); n != 0 {
			t.Fatalf("got %d", n)
		}
	}
}
