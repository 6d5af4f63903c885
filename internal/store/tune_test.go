package store_test

import (
	"strings"
	"testing"
)

// Merges are set up once, and an operator's own value stays.
func TestMigrate_merges(t *testing.T) {
	s := open(t)
	const table = "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = 'events'"
	if got := ask(t, s, table, nil); !strings.Contains(got[0], "merge_selector_base = 10") {
		t.Errorf("merges are not set up: %s", got[0])
	}
	ask(t, s, "ALTER TABLE events MODIFY SETTING merge_selector_base = 7", nil)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, s, table, nil); !strings.Contains(got[0], "merge_selector_base = 7") {
		t.Errorf("the operator's value is gone: %s", got[0])
	}
}
