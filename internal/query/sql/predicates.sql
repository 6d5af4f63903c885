{{/* predicates compare a column with the values of a filter. */}}
{{- define "is"}}{{.Column}} IN {{"{"}}{{.Param}}:Array(String)}{{end}}
{{- define "is_not"}}{{.Column}} NOT IN {{"{"}}{{.Param}}:Array(String)}{{end}}
{{- define "contains"}}multiSearchAny({{.Shown}}, {{"{"}}{{.Param}}:Array(String)}){{end}}
{{- define "contains_not"}}NOT multiSearchAny({{.Shown}}, {{"{"}}{{.Param}}:Array(String)}){{end}}
