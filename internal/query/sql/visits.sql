{{/* visits reads visits. */}}
{{- define "visits" -}}
FROM (
{{template "visit_rows" .Visits}}
)
{{- if .Where}}
WHERE {{range $i, $condition := .Where}}{{if $i}} AND {{end}}{{$condition}}{{end}}
{{- end}}
{{- end}}
