package admin

import (
	"context"
	"net/http"
)

// Erase erases events of a site. It may take minutes.
func (c *Client) Erase(ctx context.Context, in EraseRequest) (EraseReport, error) {
	var report EraseReport
	err := c.call(ctx, http.MethodPost, "/erase", in, &report)
	return report, err
}
