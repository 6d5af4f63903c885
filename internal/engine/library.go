package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/daysalt/daysalt/internal/fault"
)

// remedy is what every error about a missing library ends with.
const remedy = "run make engine, or set DAYSALT_CLICKHOUSE_DSN"

// FindLibrary returns the path of the engine's library: explicit where it is given, else libchdb beside the executable, in its lib folder,
// or in the places where packages put it. The error is a fault that says what to do.
func FindLibrary(explicit string) (string, error) {
	if explicit != "" {
		if !isFile(explicit) {
			return "", &fault.Error{Kind: fault.NotFound, Field: "engine.library", Message: fmt.Sprintf("there is no file %s: %s", explicit, remedy)}
		}
		return explicit, nil
	}
	dirs := []string{"/usr/local/lib", "/usr/local/lib/daysalt", "/usr/lib/daysalt", "/opt/homebrew/lib"}
	if exe, err := os.Executable(); err == nil {
		if target, err := filepath.EvalSymlinks(exe); err == nil {
			exe = target
		}
		dir := filepath.Dir(exe)
		dirs = append([]string{dir, filepath.Join(dir, "..", "lib", "daysalt")}, dirs...)
	}
	for _, dir := range dirs {
		for _, name := range []string{"libchdb.so", "libchdb.dylib"} {
			if path := filepath.Join(dir, name); isFile(path) {
				return path, nil
			}
		}
	}
	return "", &fault.Error{Kind: fault.NotFound, Field: "engine.library", Message: "libchdb.so, the ClickHouse library, was not found: " + remedy}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// library holds the functions of the loaded library that are used. Pointers that these functions return belong to the library; what is
// passed in is read before they return.
type library struct {
	connect   func(argc int32, argv unsafe.Pointer) unsafe.Pointer
	closeConn func(conn unsafe.Pointer)

	query func(conn, sql unsafe.Pointer, sqlLen uintptr, format unsafe.Pointer, formatLen uintptr,
		names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer
	resultBuffer func(result unsafe.Pointer) unsafe.Pointer
	resultLength func(result unsafe.Pointer) uintptr
	resultError  func(result unsafe.Pointer) unsafe.Pointer
	rowsRead     func(result unsafe.Pointer) uint64
	bytesRead    func(result unsafe.Pointer) uint64
	rowsWritten  func(result unsafe.Pointer) uint64
	freeResult   func(result unsafe.Pointer)

	insert func(conn, sql unsafe.Pointer, sqlLen uintptr, format unsafe.Pointer, formatLen uintptr,
		names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer
	insertAppend func(stream, data unsafe.Pointer, dataLen uintptr) int32
	insertDone   func(stream unsafe.Pointer) unsafe.Pointer
	insertError  func(stream unsafe.Pointer) unsafe.Pointer
	insertCancel func(stream unsafe.Pointer)
	insertFree   func(stream unsafe.Pointer)
}

// loadLibrary loads the library at path into the process, where it stays: the engine cannot be unloaded.
func loadLibrary(path string) (*library, error) {
	if !isFile(path) {
		return nil, &fault.Error{Kind: fault.NotFound, Field: "engine.library", Message: fmt.Sprintf("there is no file %s: %s", path, remedy)}
	}
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, &fault.Error{
			Kind: fault.Invalid, Field: "engine.library",
			Message: fmt.Sprintf("%s cannot be loaded on %s/%s: %s", path, runtime.GOOS, runtime.GOARCH, remedy), Err: err,
		}
	}
	lib := &library{}
	var handlers func(enabled int32)
	symbols := []struct {
		function any
		name     string
	}{
		{&handlers, "chdb_set_signal_handlers_enabled"},
		{&lib.connect, "chdb_connect"},
		{&lib.closeConn, "chdb_close_conn"},
		{&lib.query, "chdb_query_with_params_n"},
		{&lib.resultBuffer, "chdb_result_buffer"},
		{&lib.resultLength, "chdb_result_length"},
		{&lib.resultError, "chdb_result_error"},
		{&lib.rowsRead, "chdb_result_rows_read"},
		{&lib.bytesRead, "chdb_result_bytes_read"},
		{&lib.rowsWritten, "chdb_result_rows_written"},
		{&lib.freeResult, "chdb_destroy_query_result"},
		{&lib.insert, "chdb_stream_insert_with_params_n"},
		{&lib.insertAppend, "chdb_stream_append"},
		{&lib.insertDone, "chdb_stream_done"},
		{&lib.insertError, "chdb_stream_insert_error"},
		{&lib.insertCancel, "chdb_stream_cancel_insert"},
		{&lib.insertFree, "chdb_destroy_insert_stream"},
	}
	for _, s := range symbols {
		address, err := purego.Dlsym(handle, s.name)
		if err != nil || address == 0 {
			return nil, &fault.Error{
				Kind: fault.Invalid, Field: "engine.library",
				Message: fmt.Sprintf("%s is not a ClickHouse library of the wanted version (it lacks %s): %s", path, s.name, remedy), Err: err,
			}
		}
		purego.RegisterFunc(s.function, address)
	}
	// The library would take SIGSEGV and others over from the Go runtime.
	handlers(0)
	return lib, nil
}

// errNoConnection is returned when the library refuses a connection; why, it writes to stderr only.
var errNoConnection = errors.New("the library refused a connection; its reason is on stderr")
