{{/* events reads the rows that count. A filter on the entry or exit page keeps the rows of the visits that meet it; a breakdown by one joins them
to their visits. */}}
{{- define "events" -}}
FROM events
{{- if .Join}}
INNER JOIN (
SELECT visitor, visit_start, v_entry_page, v_exit_page FROM (
{{template "visit_rows" .Visits}}
)) AS v USING (visitor, visit_start)
{{- end}}
WHERE {{template "scope"}} AND kind != 'engagement'
{{- range .Visits.Stored}} AND {{.}}{{end}}
{{- range .Visits.Match}} AND {{.}}{{end}}
{{- if .Join}}{{range .Where}} AND {{.}}{{end}}
{{- else if .Where}}
AND {{template "of_visits" .}}
{{- end}}
{{- end}}

{{/* of_visits says that a row of events is of a visit that meets conditions. */}}
{{- define "of_visits" -}}
(visitor, visit_start) IN (
SELECT visitor, visit_start FROM (
{{template "visit_rows" .Visits}}
) WHERE {{range $i, $condition := .Where}}{{if $i}} AND {{end}}{{$condition}}{{end}})
{{- end}}
