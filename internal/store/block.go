package store

import (
	"errors"
	"fmt"
	"net"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/fault"
)

// chunk is how many rows go through all columns before the next ones do: so many stay in the processor's cache.
const chunk = 256

// block makes rows into the columns of one insert, with buffers that the next insert uses again.
//
// The driver's own way to fill a column costs 3 us a row here, because LowCardinality goes through reflection. A column that was read from a
// server is sent as it is, though, and reading is a copy. So a block encodes columns as a server does, and lets the driver's columns read
// them: nothing but column.Interface is used, and it is the same over HTTP and the native protocol. The driver's InsertFormat would
// save that copy, but it is experimental and for HTTP alone.
type block struct {
	columns []column
	pieces  [][]byte
}

func newBlock() *block { return &block{columns: columns()} }

// names and types of the columns, so that the driver need not ask the database for them before every insert.
func (b *block) types() []clickhouse.ColumnNameAndType {
	types := make([]clickhouse.ColumnNameAndType, len(b.columns))
	for i, c := range b.columns {
		types[i] = clickhouse.ColumnNameAndType{Name: c.name, Type: c.kind}
	}
	return types
}

// reset forgets the rows.
func (b *block) reset() {
	for i := range b.columns {
		b.columns[i].values.reset()
	}
	clear(b.pieces)
	b.pieces = b.pieces[:0]
}

// add encodes rows, in their order: to put them into the table's order first was tried and costs more than it saves the engine. It fails with Invalid where one of them cannot be stored.
func (b *block) add(rows []event.Row) error {
	for from := 0; from < len(rows); from += chunk {
		some := rows[from:min(from+chunk, len(rows))]
		for i := range b.columns {
			if err := b.columns[i].values.add(some); err != nil {
				return fault.Invalidf(b.columns[i].name, "%s", err.Error())
			}
		}
	}
	return nil
}

// move copies the columns into a batch that has these columns and no rows.
func (b *block) move(batch driver.Batch, rows int) error {
	to := batch.Columns()
	if len(to) != len(b.columns) {
		return fmt.Errorf("the batch has %d columns, not %d", len(to), len(b.columns))
	}
	for i := range b.columns {
		b.pieces = b.columns[i].values.append(b.pieces)
	}
	rest := net.Buffers(b.pieces)
	reader := proto.NewReader(&rest)
	for i, c := range b.columns {
		if to[i].Name() != c.name || string(to[i].Type()) != c.kind {
			return fmt.Errorf("column %d of the batch is %s %s, not %s %s", i+1, to[i].Name(), to[i].Type(), c.name, c.kind)
		}
		if err := to[i].Decode(reader, rows); err != nil {
			return fmt.Errorf("cannot move column %s: %w", c.name, err)
		}
	}
	if _, err := reader.ReadByte(); err == nil {
		return errors.New("the driver left bytes of a block")
	}
	return nil
}
