{{/* visit_rows is the only definition of a visit: what one visitor did between a visit_start and the next, with at least one event that is no
engagement. A statement reads one site, so site_id is not in the key: without it the key packs into 128 bits and grouping takes half the time.
visit_start only names a visit: events arrive out of order, so the first of them may be later than another. started is the moment at which it began.
bounced: fewer than two pageviews and nothing interactive. matched and matched_views count what meets the question's filters on events.
Attributes (source ... device) are equal on all rows of a visit; only those that are grouped by are taken. They are not taken from engagement: a row of it that
is in no visit may have the visit_start of one. The engine itself computes nothing that is not read.
*/}}
{{- define "visit_rows" -}}
SELECT day, visitor, visit_start,
  countIf(kind = 'pageview') AS views,
  countIf(kind = 'pageview') < 2 AND countIf(kind = 'custom' AND interactive = 1) = 0 AS bounced,
  minIf(ts, kind != 'engagement') AS started,
  dateDiff('second', started, maxIf(ts, kind != 'engagement')) AS seconds,
  countIf(kind != 'engagement'{{range .Match}} AND {{.}}{{end}}) AS matched,
  countIf(kind = 'pageview'{{range .Match}} AND {{.}}{{end}}) AS matched_views,
  argMinIf(hostname, seq, kind = 'pageview') AS v_entry_host,
  argMinIf(path, seq, kind = 'pageview') AS v_entry_page,
  argMaxIf(path, seq, kind = 'pageview') AS v_exit_page
{{- range .Attributes}},
  anyIf({{.}}, kind != 'engagement') AS v_{{.}}{{end}}
FROM events
WHERE {{template "scope"}} AND visitor != 0{{range .Stored}} AND {{.}}{{end}}
GROUP BY day, visitor, visit_start
HAVING countIf(kind != 'engagement') > 0
{{- end}}
