{{/* question sums the numerators of its parts per value of the dimensions (k0, k1 ...) and makes the metrics (m0, m1 ...) of them. */}}
{{- define "question" -}}
SELECT {{range .Select}}{{.}}, {{end}}toInt64({{if .Total}}count() OVER (){{else}}0{{end}}) AS total
{{template "summed" .}}
{{- if .Keys}}
ORDER BY {{range $j, $order := .Order}}{{if $j}}, {{end}}{{$order}}{{end}}
{{- end}}
LIMIT {limit:UInt32} OFFSET {offset:UInt32}
{{template "settings" .Limits}}
{{- end}}

{{/* summed is what a question's rows are made of: the parts, put together by their keys. */}}
{{- define "summed" -}}
FROM (
{{- range $i, $part := .Parts}}{{if $i}}
UNION ALL{{end}}
SELECT {{range $j, $column := $part.Select}}{{if $j}}, {{end}}{{$column}}{{end}}
{{if eq $part.Source "events"}}{{template "events" $part}}{{else}}{{template "visits" $part}}{{end}}
{{- if $part.Keys}}
GROUP BY {{range $j, $key := $part.Keys}}{{if $j}}, {{end}}{{$key}}{{end}}{{end}}
{{- end}}
)
{{- if .Keys}}
GROUP BY {{range $j, $key := .Keys}}{{if $j}}, {{end}}{{$key}}{{end}}
HAVING {{range $j, $sum := .Present}}{{if $j}} OR {{end}}{{$sum}} > 0{{end}}
{{- end}}
{{- end}}

{{/* settings are the statement's own limits. readonly=1 is a second belt: what keeps a question harmless are closed identifiers and bound values.
The snapshot lets all parts of one statement see the same rows. */}}
{{- define "settings" -}}
SETTINGS readonly = 1, max_execution_time = {{.Seconds}}, max_memory_usage = {{.MemoryBytes}}, enable_shared_storage_snapshot_in_query = 1, compile_expressions = 0, compile_aggregate_expressions = 0
{{- end}}
