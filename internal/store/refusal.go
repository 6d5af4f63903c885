package store

import (
	"errors"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/daysalt/daysalt/internal/fault"
)

// refuses says whether a code of ClickHouse is about the content of rows, so that the same rows are refused whenever they are sent.
//
// Codes about types, columns and their number (TYPE_MISMATCH, ILLEGAL_COLUMN, NO_SUCH_COLUMN_IN_TABLE, CANNOT_CONVERT_TYPE ...) are not among
// them: a block of ours always has the same types, so they mean a table that is not ours yet, every row would be refused, and waiting helps.
// Nor are CANNOT_READ_ALL_DATA and ATTEMPT_TO_READ_AFTER_EOF, which is what a body that broke off looks like, nor BAD_ARGUMENTS and
// LOGICAL_ERROR, which may be anything.
func refuses(code int32) bool {
	switch code {
	case 469, // VIOLATED_CONSTRAINT: a CHECK that somebody has added
		395, // FUNCTION_THROW_IF_VALUE_IS_NON_ZERO: the same by throwIf, also in a materialized view
		153, // ILLEGAL_DIVISION: a CHECK, a default or a view divides by a value
		190, // SIZES_OF_ARRAYS_DONT_MATCH: likewise, of two arrays of a row
		321, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE: a number or time that the column's type does not reach
		69,  // ARGUMENT_OUT_OF_BOUND: likewise, in an expression
		407, // DECIMAL_OVERFLOW: likewise
		691, // UNKNOWN_ELEMENT_OF_ENUM: a kind that the table does not know
		349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
		131, // TOO_LARGE_STRING_SIZE
		128, // TOO_LARGE_ARRAY_SIZE
		117, // INCORRECT_DATA: a block that cannot be read
		6,   // CANNOT_PARSE_TEXT; this one and the rest: a text is read as another type, in a default, a view, or a column of a changed type
		26,  // CANNOT_PARSE_QUOTED_STRING
		27,  // CANNOT_PARSE_INPUT_ASSERTION_FAILED
		38,  // CANNOT_PARSE_DATE
		41,  // CANNOT_PARSE_DATETIME
		72,  // CANNOT_PARSE_NUMBER
		130, // CANNOT_READ_ARRAY_FROM_TEXT
		376, // CANNOT_PARSE_UUID
		441, // CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING
		467, // CANNOT_PARSE_BOOL
		675, // CANNOT_PARSE_IPV4
		676: // CANNOT_PARSE_IPV6
		return true
	}
	return false
}

// insertError is what Insert returns for an error of the driver: Invalid where trying again is of no use.
func insertError(verb string, err error) error {
	if e, ok := errors.AsType[*clickhouse.Exception](err); ok && refuses(e.Code) {
		return &fault.Error{Kind: fault.Invalid, Message: "the database refuses what is in the rows", Err: withoutValues(err)}
	}
	return fmt.Errorf("cannot %s a batch: %w", verb, withoutValues(err))
}
