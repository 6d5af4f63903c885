{{/* current counts who is there now: distinct visitors with an event that is no engagement since a moment. Yesterday's visitors
have other numbers than today's, so both days are read. */}}
{{- define "current" -}}
SELECT toInt64(uniqExact(visitor)) AS m0
FROM events
WHERE {{template "scope"}} AND visitor != 0 AND kind != 'engagement' AND ts > toDateTime({since:UInt32}, 'UTC') AND ts <= toDateTime({until:UInt32}, 'UTC')
{{template "settings" .}}
{{- end}}
