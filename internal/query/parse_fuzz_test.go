package query_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/query"
)

// FuzzParse checks that any body is either refused as invalid, or is a question that compiles, whose SQL has nothing of its values, and whose
// echo asks the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(with(``)))
	f.Add([]byte(with(`"dimensions":["time"],"filters":[["is","event:page",["/"]],["contains","visit:source",["'\\"]]],"order_by":[["time","asc"]]`)))
	f.Add([]byte(`{"queries":[` + with(`"dimensions":["event:page","visit:exit_page"],"include":{"total_rows":true}`) + `,{}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := query.Parse(body)
		if err != nil {
			if e, ok := errors.AsType[*fault.Error](err); !ok || e.Kind != fault.Invalid {
				t.Fatalf("%q: %v is no fault.Invalid", body, err)
			}
			return
		}
		for _, one := range r.Questions {
			if one.Err != nil {
				continue
			}
			n := normal(&one.Question)
			stmt, err := query.Compile(&n, facts())
			if err != nil {
				t.Fatalf("%q: %v", body, err)
			}
			guarded := facts()
			guarded.MinVisitors, guarded.Anonymous = 10, len(body)%2 == 0
			if _, err := query.Compile(&n, guarded); err != nil && fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%q on a site that withholds: %v", body, err)
			}
			plain := n
			plain.Filters = nil
			for _, filter := range n.Filters {
				filter.Values = []string{"x"}
				plain.Filters = append(plain.Filters, filter)
			}
			if same, err := query.Compile(&plain, facts()); err != nil || same.SQL != stmt.SQL {
				t.Fatalf("%q: the SQL depends on the values: %v\n%s", body, err, stmt.SQL)
			}
			echo, err := json.Marshal(n)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := query.Parse(echo); err != nil {
				t.Fatalf("%q has the echo %s: %v", body, echo, err)
			} else if second, err := json.Marshal(normal(&again.Questions[0].Question)); err != nil || !bytes.Equal(second, echo) {
				t.Fatalf("%q has the echo %s, and that has the echo %s", body, echo, second)
			}
		}
	})
}

func facts() query.Facts {
	return query.Facts{SiteID: 7, Zone: time.UTC, Today: 20779, Limits: query.Limits{Time: 15 * time.Second, MemoryBytes: 512 << 20}}
}
