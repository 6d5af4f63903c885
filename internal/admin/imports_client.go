package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/importer"
)

// BeginImport returns how far the import of a file is, and begins it where it is not known.
func (c *Client) BeginImport(ctx context.Context, start importer.Start) (importer.Progress, error) {
	body, err := json.Marshal(start)
	if err != nil {
		return importer.Progress{}, fmt.Errorf("cannot write the command: %w", err)
	}
	return send[importer.Progress](ctx, c, http.MethodPost, "/imports", body)
}

// ImportLines gives the server lines, of which the first has the number from, and returns when they are stored.
func (c *Client) ImportLines(ctx context.Context, id uint16, from uint64, text []byte) (importer.Progress, error) {
	return send[importer.Progress](ctx, c, http.MethodPost, importPath(id)+"/lines?from="+strconv.FormatUint(from, 10), text)
}

// EndImport finishes an import whose lines are all stored.
func (c *Client) EndImport(ctx context.Context, id uint16) (importer.Progress, error) {
	return send[importer.Progress](ctx, c, http.MethodPost, importPath(id)+"/end", nil)
}

// RemoveImport deletes the events of an import and forgets it.
func (c *Client) RemoveImport(ctx context.Context, id uint16) (importer.Progress, error) {
	return send[importer.Progress](ctx, c, http.MethodDelete, importPath(id), nil)
}

// Imports lists the imports by id.
func (c *Client) Imports(ctx context.Context) ([]importer.Progress, error) {
	return send[[]importer.Progress](ctx, c, http.MethodGet, "/imports", nil)
}

func importPath(id uint16) string { return "/imports/" + strconv.Itoa(int(id)) }

// send is call with a body as it is. An answer that breaks off is Unavailable, as one that does not come: nothing is known, and the command can be given again.
func send[T any](ctx context.Context, c *Client, method, path string, body []byte) (out T, err error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://daysalt"+path, bytes.NewReader(body))
	if err != nil {
		return out, fmt.Errorf("cannot write the command: %w", err)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return out, fault.Unavailablef(err, "the server does not answer")
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return out, fault.Unavailablef(err, "the server's answer broke off")
	}
	if answer.StatusCode >= http.StatusBadRequest {
		var p problem
		if err := json.Unmarshal(text, &p); err != nil {
			return out, fmt.Errorf("cannot read the server's answer (%s): %w", answer.Status, err)
		}
		return out, &fault.Error{Kind: p.Kind, Field: p.Field, Message: p.Message}
	}
	if err := json.Unmarshal(text, &out); err != nil {
		return out, fmt.Errorf("cannot read the server's answer: %w", err)
	}
	return out, nil
}
