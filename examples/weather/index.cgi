#!/bin/sh
# The forecast of one city as a page, or as JSON with ?format=json; the data are a file, so no network is needed.
# Environment: QUERY_STRING (RFC 3875), WEATHER_DATA (city,day,sky,low,high,rain: days from today, °C, %).
exec awk -F, -v query="$QUERY_STRING" '
function field(name,    parts, pair, i) {
    split(query, parts, "&")
    for (i in parts) {
        split(parts[i], pair, "=")
        if (pair[1] == name)
            return pair[2]
    }
    return ""
}
function head(status, type) {
    printf "Status: %s\r\nContent-Type: %s; charset=utf-8\r\nCache-Control: no-store\r\n\r\n", status, type
}
function page(    i, n, chosen) {
    print "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Weather: " city "</title>"
    print "<meta name=\"viewport\" content=\"width=device-width\">"
    print "<style>body{font:16px/1.5 sans-serif;max-width:40em;margin:2em auto;padding:0 1em}"
    print "td,th{padding:.3em .8em;text-align:right}td:nth-child(2),th:nth-child(2){text-align:left}"
    print "tr:nth-child(even){background:#eef3f8}nav a{margin-right:.8em}</style>"
    print "<h1>" city "</h1><nav>"
    for (i = 1; i <= cities; i++)
        print "<a href=\"/?city=" order[i] "\">" order[i] "</a>"
    print "</nav><table><tr><th>day<th>sky<th>low<th>high<th>rain"
    n = split(rows[city], line, "\n")
    for (i = 1; i <= n; i++) {
        split(line[i], cell, ",")
        print "<tr><td>" (cell[1] ? "+" cell[1] : "today") "<td>" cell[2] "<td>" cell[3] " °C<td>" cell[4] \
              " °C<td>" cell[5] " %"
    }
    print "</table></html>"
}
function json(    i, n) {
    printf "{\"city\": \"%s\", \"days\": [", city
    n = split(rows[city], line, "\n")
    for (i = 1; i <= n; i++) {
        split(line[i], cell, ",")
        printf "%s{\"day\": %d, \"sky\": \"%s\", \"low\": %d, \"high\": %d, \"rain\": %d}", \
               (i > 1 ? ", " : ""), cell[1], cell[2], cell[3], cell[4], cell[5]
    }
    print "]}"
}
{
    if (!($1 in rows))
        order[++cities] = $1
    rows[$1] = rows[$1] (rows[$1] == "" ? "" : "\n") $2 "," $3 "," $4 "," $5 "," $6
}
END {
    city = field("city")
    if (city == "")
        city = order[1]
    if (!(city in rows)) {  # and never printed: it is whatever somebody asked for
        head("404 Not Found", "text/plain")
        print "no forecast for this city"
    } else if (field("format") == "json") {
        head("200 OK", "application/json")
        json()
    } else {
        head("200 OK", "text/html")
        page()
    }
}' "$WEATHER_DATA"
