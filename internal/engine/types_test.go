package engine_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// everything is a row of each column type that the tables use.
type everything struct {
	U8    uint8              `ch:"u8"`
	U16   uint16             `ch:"u16"`
	U32   uint32             `ch:"u32"`
	U64   uint64             `ch:"u64"`
	I64   int64              `ch:"i64"`
	Day   time.Time          `ch:"day"`
	At    time.Time          `ch:"at"`
	Kind  string             `ch:"kind"`
	Low   string             `ch:"low"`
	Lows  []string           `ch:"lows"`
	Texts []string           `ch:"texts"`
	Text  string             `ch:"text"`
	F64   float64            `ch:"f64"`
	Maybe *float64           `ch:"maybe"`
	Pairs map[string]float64 `ch:"pairs"`
	Pair  []any              `ch:"pair"`
	Nums  []uint16           `ch:"nums"`
}

const everyColumn = `(
	u8 UInt8, u16 UInt16 CODEC(Delta(2), ZSTD(1)), u32 UInt32 CODEC(T64, ZSTD(1)), u64 UInt64, i64 Int64, day Date, at DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
	kind Enum8('pageview' = 0, 'engagement' = 1, 'custom' = 2), low LowCardinality(String), lows Array(LowCardinality(String)), texts Array(String), text String,
	f64 Float64, maybe Nullable(Float64), pairs Map(String, Float64), pair Tuple(String, UInt64), nums Array(UInt16)
) ENGINE = MergeTree PARTITION BY toYYYYMM(day) ORDER BY (day, u64) TTL day + toIntervalDay(30000)
SETTINGS default_compression_codec = 'ZSTD(1)', non_replicated_deduplication_window = 100`

func TestTypes_roundTrip(t *testing.T) {
	half := 0.5
	// Control characters at the beginning of texts: a block must not be cut where a byte looks like a newline.
	odd := "\n\x00'\"\\`\t\r\u00e9\u65e5\U0001F9C2{x:String}"
	rows := []everything{
		{
			U8: 255, U16: 65535, U32: 1<<32 - 1, U64: 1<<64 - 1, I64: -1 << 63, Day: date(2026, 11, 22), At: date(2026, 11, 22).Add(86399 * time.Second),
			Kind: "custom", Low: odd, Lows: []string{"a", odd, "a"}, Texts: []string{odd, ""}, Text: odd, F64: -0.25, Maybe: &half,
			Pairs: map[string]float64{odd: 1, "": 2}, Pair: []any{odd, uint64(7)}, Nums: []uint16{1, 65535},
		},
		{Day: date(1970, 1, 1), At: time.Unix(0, 0).UTC(), Kind: "pageview", Lows: []string{}, Texts: []string{}, Pairs: map[string]float64{}, Pair: []any{"", uint64(0)}, Nums: []uint16{}},
	}
	for way, conn := range ways(t) {
		t.Run(way, func(t *testing.T) {
			name := table(t, conn, everyColumn)
			batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO "+name)
			if err != nil {
				t.Fatal(err)
			}
			for i := range rows {
				if err := batch.AppendStruct(&rows[i]); err != nil {
					t.Fatal(err)
				}
			}
			if err := batch.Send(); err != nil {
				t.Fatal(err)
			}
			var got []everything
			if err := conn.Select(t.Context(), &got, "SELECT * FROM "+name+" ORDER BY u64 DESC"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(rows, got); diff != "" {
				t.Errorf("rows differ (-sent +read):\n%s", diff)
			}
			if n := number(t, conn, "SELECT sum(u64) FROM "+name); n != 1<<64-1 {
				t.Errorf("sum of u64 = %d", n)
			}
		})
	}
}

func TestTypes_sumsAndTuples(t *testing.T) {
	for way, conn := range ways(t) {
		t.Run(way, func(t *testing.T) {
			var sum uint64
			var average float64
			var none *float64
			var tuples [][]any
			row := conn.QueryRow(t.Context(), `SELECT sum(number), avg(number), if(count() = 0, 1., NULL), groupArray((toString(number), number)) FROM numbers(3)`)
			if err := row.Scan(&sum, &average, &none, &tuples); err != nil {
				t.Fatal(err)
			}
			want := [][]any{{"0", uint64(0)}, {"1", uint64(1)}, {"2", uint64(2)}}
			if diff := cmp.Diff(want, tuples); sum != 3 || average != 1 || none != nil || diff != "" {
				t.Errorf("got %d, %v, %v, %v", sum, average, none, diff)
			}
		})
	}
}

// An empty answer still names its columns when the engine sends a header; what must not happen is an error or a row.
func TestTypes_noRows(t *testing.T) {
	for way, conn := range ways(t) {
		t.Run(way, func(t *testing.T) {
			rows, err := conn.Query(t.Context(), "SELECT number FROM numbers(10) WHERE number > 10")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { check(t, rows.Close()) }()
			if rows.Next() || rows.Err() != nil {
				t.Errorf("a row, or the error %v", rows.Err())
			}
		})
	}
}

func date(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}
