package admin

import (
	"context"
	"net/http"
)

// Retention returns how long data is kept, and what there is of it.
func (c *Client) Retention(ctx context.Context) (RetentionReport, error) {
	var report RetentionReport
	err := c.call(ctx, http.MethodGet, "/retention", nil, &report)
	return report, err
}
