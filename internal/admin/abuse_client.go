package admin

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// Abuse returns the masked addresses that most events came from.
func (c *Client) Abuse(ctx context.Context, q AbuseQuery) (AbuseReport, error) {
	values := url.Values{"hours": {strconv.Itoa(q.Hours)}, "limit": {strconv.Itoa(q.Limit)}}
	if q.Domain != "" {
		values.Set("domain", q.Domain)
	}
	var report AbuseReport
	err := c.call(ctx, http.MethodGet, "/abuse?"+values.Encode(), nil, &report)
	return report, err
}
