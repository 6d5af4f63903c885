{{/* withheld answers a question of one line of rows on a site that keeps small groups back. hidden rows are left out, or have no numbers where the dimension is time.
They are the small ones, and as many others as it takes that what is hidden, which anybody can subtract from the whole, is no small group either:
the next larger row, and under filters the next one that enough visitors did not meet them in. If there is none, nothing is shown. union_in and union_out are
how many visitors all small rows together are about: a visitor may be in several. Where several parts tell of visitors, it is the largest row's, which is never more. */}}
{{- define "withheld" -}}
SELECT {{range .Select}}{{.}}, {{end}}toInt64({{if .Total}}count() OVER (){{else}}0{{end}}) AS total, toInt64(withheld) AS is_withheld
FROM (
SELECT *, max(hidden OR partly) OVER () AS withheld
{{template "hidden" .}}
)
{{- if not .Nulls}}
WHERE NOT hidden{{end}}
{{- if .Keys}}
ORDER BY {{range $j, $order := .Order}}{{if $j}}, {{end}}{{$order}}{{end}}
{{- end}}
LIMIT {limit:UInt32} OFFSET {offset:UInt32}
{{template "settings" .Limits}}
{{- end}}

{{/* tally says how many rows such an answer shows, and whether anything is withheld: what an answer without rows cannot say. */}}
{{- define "tally" -}}
SELECT toInt64({{if .Nulls}}count(){{else}}countIf(NOT hidden){{end}}) AS total, toInt64(max(hidden OR partly)) AS is_withheld
{{template "hidden" .}}
{{template "settings" .Limits}}
{{- end}}

{{/* cells lists the rows of a question with several dimensions and how many visitors each is about. What to hide is found by who reads them. */}}
{{- define "cells" -}}
SELECT {{range .Select}}{{.}}, {{end}}{{range .Keys}}toString({{.}}), {{end}}toInt64(crowd_in), toInt64({{if .Filtered}}crowd_out{{else}}0{{end}}), toInt64(partly)
FROM (
{{template "crowded" .}}
)
ORDER BY {{range $j, $order := .Order}}{{if $j}}, {{end}}{{$order}}{{end}}
LIMIT {limit:UInt32} OFFSET {offset:UInt32}
{{template "settings" .Limits}}
{{- end}}

{{define "hidden" -}}
FROM (
SELECT *, small OR rows_small > 0 AND (
  union_in < {{.K}} AND NOT small AND rank_in = 1
  {{- if .Filtered}}
  OR union_out > 0 AND union_out < {{.K}} AND (spare = 0 OR NOT small AND crowd_out >= {{.K}} AND rank_out = 1)
  {{- end}}) AS hidden
FROM (
SELECT *, countIf(small) OVER () AS rows_small,
  {{if .Several}}maxIf(crowd_in, small) OVER (){{else}}length(groupUniqArrayArrayIf(people_in, small) OVER ()) AS known_in,
  if(known_in > 0, known_in, sumIf(crowd_in, small) OVER ()){{end}} AS union_in,
  row_number() OVER (PARTITION BY small ORDER BY crowd_in{{range .Keys}}, {{.}}{{end}}) AS rank_in
  {{- if .Filtered}},
  {{if .Several}}maxIf(crowd_out, small) OVER (){{else}}length(groupUniqArrayArrayIf(people_out, small) OVER ()) AS known_out,
  if(known_out > 0, known_out, sumIf(crowd_out, small) OVER ()){{end}} AS union_out,
  countIf(NOT small AND crowd_out >= {{.K}}) OVER () AS spare,
  row_number() OVER (PARTITION BY NOT small AND crowd_out >= {{.K}} ORDER BY crowd_out{{range .Keys}}, {{.}}{{end}}) AS rank_out
  {{- end}}
FROM (
{{template "crowded" .}}
)))
{{- end}}

{{/* crowded has the metrics (q0, q1 ...) per value of the dimensions, and how many visitors are behind each row (crowd_in) and, under filters, behind what the filters took from it
(crowd_out): nobody, or fewer than may be shown. Where there are no visitor numbers, each event stands for a visitor. */}}
{{- define "crowded" -}}
SELECT {{range .Keys}}{{.}}, {{end}}{{range .Metrics}}{{.}}, {{end}}minIf(crowd, crowd > 0) AS crowd_in, groupUniqArrayArray(people) AS people_in
{{- if .Filtered}},
  minIf(rest, rest > 0) AS crowd_out, groupUniqArrayArray(rest_people) AS people_out
{{- end}},
  {{.Partly}} AS partly,
  crowd_in > 0 AND crowd_in < {{.K}}{{if .Filtered}} OR crowd_out > 0 AND crowd_out < {{.K}}{{end}} AS small
{{template "summed" .}}
{{- end}}
