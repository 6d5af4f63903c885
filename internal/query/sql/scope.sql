{{/* scope is what every read of events begins with: one site, the asked days, and no row that has expired. The sum is not of type Date, which
ends in 2149 and would wrap around. */}}
{{- define "scope" -}}
site_id = {site:UInt32} AND day BETWEEN {from:Date} AND {to:Date} AND toUInt32(day) + retention_days > toUInt32({today:Date})
{{- end}}
