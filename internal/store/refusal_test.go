package store_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/store"
	"github.com/daysalt/daysalt/internal/testkit"
)

const marker = "/Zq7Marker"

// insertFails inserts rows and returns the error's kind and text, which quotes nothing of them.
func insertFails(t *testing.T, s *store.Store, token string, rows ...event.Row) (kind fault.Kind, text string) {
	t.Helper()
	err := s.Insert(t.Context(), token, rows)
	if err == nil {
		t.Fatalf("%s: no error", token)
	}
	if strings.Contains(err.Error(), "Zq7Marker") {
		t.Errorf("%s: the error quotes a row: %v", token, err)
	}
	return fault.KindOf(err), err.Error()
}

func stored(t *testing.T, s *store.Store) string {
	t.Helper()
	return ask(t, s, "SELECT toString(count()) FROM events", nil)[0]
}

// A row that a rule of the table refuses is Invalid, and the others can be stored without it.
func TestInsert_refused(t *testing.T) {
	s := open(t)
	f := func(code, rule string) {
		t.Helper()
		ask(t, s, "TRUNCATE TABLE events", nil)
		ask(t, s, "ALTER TABLE events "+rule, nil)
		good, bad := fullRow(), fullRow()
		good.Path, bad.Path, bad.Scroll = "17", marker, 0
		if kind, text := insertFails(t, s, rule, good, bad, good); kind != fault.Invalid || !strings.Contains(text, code) {
			t.Errorf("%s: kind %d, %s", rule, kind, text)
		}
		if got := stored(t, s); got != "0" {
			t.Errorf("%s: %s rows after a refusal", rule, got)
		}
		if err := s.Insert(t.Context(), rule+" without it", []event.Row{good, good}); err != nil {
			t.Errorf("%s: %v", rule, err)
		}
		if got := stored(t, s); got != "2" {
			t.Errorf("%s: %s rows, want 2", rule, got)
		}
		ask(t, s, "ALTER TABLE events DROP "+strings.Join(strings.Fields(rule)[1:3], " "), nil)
	}
	f(" 469 ", "ADD CONSTRAINT rule CHECK path != '"+marker+"'")
	f(" 395 ", "ADD COLUMN rule UInt8 MATERIALIZED throwIf(path = '"+marker+"')")
	f(" 153 ", "ADD COLUMN rule UInt8 MATERIALIZED intDiv(100, scroll)")
	f(" 6 ", "ADD COLUMN rule UInt32 DEFAULT toUInt32(toString(path))")
	f(" 41 ", "ADD COLUMN rule DateTime DEFAULT toDateTime(concat(toString(path), '00000000'))")

	bad := fullRow()
	bad.Path, bad.Time = marker, -1
	if kind, text := insertFails(t, s, "time", bad); kind != fault.Invalid || !strings.HasPrefix(text, "ts: ") {
		t.Errorf("kind %d, %s", kind, text)
	}
}

// withSetting sends inserts with a setting of the test.
type withSetting struct {
	http.RoundTripper

	name, value string
}

func (w *withSetting) RoundTrip(r *http.Request) (*http.Response, error) {
	if q := r.URL.Query(); w.name != "" && strings.HasPrefix(q.Get("query"), "INSERT") {
		q.Set(w.name, w.value)
		r.URL.RawQuery = q.Encode()
	}
	return w.RoundTripper.RoundTrip(r)
}

// What is no fault of the rows is not Invalid: they would go to quarantine although they could be stored later.
func TestInsert_notRefused(t *testing.T) {
	way := &withSetting{RoundTripper: testkit.Engine(t).RoundTripper()}
	s := openOn(t, way)
	row := fullRow()
	row.Path = marker
	f := func(code, break_, mend string) {
		t.Helper()
		ask(t, s, break_, nil)
		if kind, text := insertFails(t, s, code+break_, row); kind != fault.Internal || !strings.Contains(text, code) {
			t.Errorf("%s: kind %d, %s", break_, kind, text)
		}
		ask(t, s, mend, nil)
		ask(t, s, "TRUNCATE TABLE events", nil)
		if err := s.Insert(t.Context(), code+break_, []event.Row{row}); err != nil || stored(t, s) != "1" {
			t.Errorf("%s: afterwards %v, %s rows", break_, err, stored(t, s))
		}
	}
	f(" 60 ", "RENAME TABLE events TO away", "RENAME TABLE away TO events")
	f(" 16 ", "ALTER TABLE events RENAME COLUMN language TO tongue", "ALTER TABLE events RENAME COLUMN tongue TO language")
	ask(t, s, "SYSTEM STOP MERGES events", nil)
	f(" 252 ", "ALTER TABLE events MODIFY SETTING parts_to_delay_insert = 1, parts_to_throw_insert = 1", "ALTER TABLE events RESET SETTING parts_to_delay_insert, parts_to_throw_insert")
	for code, setting := range map[string][2]string{" 241 ": {"max_memory_usage", "1000"}, " 164 ": {"readonly", "1"}, " 115 ": {"no_such_setting", "1"}} {
		way.name, way.value = setting[0], setting[1]
		if kind, text := insertFails(t, s, code, row); kind != fault.Internal || !strings.Contains(text, code) {
			t.Errorf("%v: kind %d, %s", setting, kind, text)
		}
		way.name = ""
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if kind, text := insertFails(t, s, "closed", row); kind == fault.Invalid {
		t.Errorf("closed: kind %d, %s", kind, text)
	}
}

// The codes are the engine's: a number that means something else would send good rows to quarantine.
func TestRefuses_codes(t *testing.T) {
	s := open(t)
	want := []string{
		"ARGUMENT_OUT_OF_BOUND", "CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN", "CANNOT_PARSE_BOOL", "CANNOT_PARSE_DATE", "CANNOT_PARSE_DATETIME", "CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING",
		"CANNOT_PARSE_INPUT_ASSERTION_FAILED", "CANNOT_PARSE_IPV4", "CANNOT_PARSE_IPV6", "CANNOT_PARSE_NUMBER", "CANNOT_PARSE_QUOTED_STRING", "CANNOT_PARSE_TEXT", "CANNOT_PARSE_UUID",
		"CANNOT_READ_ARRAY_FROM_TEXT", "DECIMAL_OVERFLOW", "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO", "ILLEGAL_DIVISION", "INCORRECT_DATA", "SIZES_OF_ARRAYS_DONT_MATCH",
		"TOO_LARGE_ARRAY_SIZE", "TOO_LARGE_STRING_SIZE", "UNKNOWN_ELEMENT_OF_ENUM", "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE", "VIOLATED_CONSTRAINT",
	}
	got := ask(t, s, "SELECT errorCodeToName(number) AS name FROM numbers(2000) WHERE number IN "+store.RefusedCodes()+" ORDER BY name", nil)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
