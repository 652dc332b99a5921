-- The last check of every host for a package that came to findings, and what it
-- found. What passed is left out.

-- name: FleetChecked :one
-- How many hosts were checked, how many of them before a time, and how many
-- servers there are at all.
SELECT (SELECT count(*) FROM server) AS servers,
       count(*) AS hosts,
       count(*) FILTER (WHERE last.judged_at < @before) AS old
FROM host h
JOIN host_run last ON last.id = (
    SELECT r.id
    FROM host_run r
    WHERE r.host_id = h.id
      AND r.kind = 'check'
      AND r.package = @package
      AND r.judged_at IS NOT NULL
    ORDER BY r.id DESC
    LIMIT 1);

-- name: FleetFound :many
-- How often each rule found what, and how many of these are on the servers and hosts
-- that are looked for: those that are named, or whose names hold a text.
WITH accepted AS MATERIALIZED (
    SELECT own.server_id, w.rule, bool_or(w.severity = 'blocker') AS blockers
    FROM waiver w
    JOIN server_host theirs ON theirs.server_id = w.server_id
    JOIN server_host own ON own.host_id = theirs.host_id
    WHERE lower(w.package) = lower(@package)
      AND w.state = 'granted'
      AND w.until_at > now()
    GROUP BY own.server_id, w.rule)
SELECT f.rule, f.severity,
       (a.rule IS NOT NULL AND f.waivable AND (f.severity = 'warning' OR f.severity = 'blocker' AND a.blockers))::boolean AS waived,
       count(*) AS found,
       count(*) FILTER (
           WHERE @text::text = ''
              OR h.name = ANY (@nodes::text[])
              OR strpos(lower(s.name || ' ' || h.name), lower(@text::text)) > 0) AS shown
FROM host h
JOIN host_run last ON last.id = (
    SELECT r.id
    FROM host_run r
    WHERE r.host_id = h.id
      AND r.kind = 'check'
      AND r.package = @package
      AND r.judged_at IS NOT NULL
    ORDER BY r.id DESC
    LIMIT 1)
JOIN server s ON s.id = last.server_id
JOIN check_finding f ON f.run_id = last.id AND f.severity <> 'pass'
LEFT JOIN accepted a ON a.server_id = last.server_id AND a.rule = f.rule
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3;

-- name: FleetFindings :many
-- A page of them, the gravest first, each with what the check before said by the
-- rule; '' = all severities, all rules.
WITH accepted AS MATERIALIZED (
    SELECT own.server_id, w.rule, bool_or(w.severity = 'blocker') AS blockers
    FROM waiver w
    JOIN server_host theirs ON theirs.server_id = w.server_id
    JOIN server_host own ON own.host_id = theirs.host_id
    WHERE lower(w.package) = lower(@package)
      AND w.state = 'granted'
      AND w.until_at > now()
    GROUP BY own.server_id, w.rule),
page AS MATERIALIZED (
    SELECT f.run_id, f.rule, h.id AS host_id, h.name AS host, s.id AS server_id, s.name AS server, last.judged_at,
           row_number() OVER (
               ORDER BY array_position(ARRAY['blocker', 'warning', 'info'], f.severity),
                        (a.rule IS NOT NULL AND f.waivable AND (f.severity = 'warning' OR f.severity = 'blocker' AND a.blockers)),
                        f.rule COLLATE "C", h.name COLLATE "C") AS place
    FROM host h
    JOIN host_run last ON last.id = (
        SELECT r.id
        FROM host_run r
        WHERE r.host_id = h.id
          AND r.kind = 'check'
          AND r.package = @package
          AND r.judged_at IS NOT NULL
        ORDER BY r.id DESC
        LIMIT 1)
    JOIN server s ON s.id = last.server_id
    JOIN check_finding f ON f.run_id = last.id AND f.severity <> 'pass'
    LEFT JOIN accepted a ON a.server_id = last.server_id AND a.rule = f.rule
    WHERE (@severity::text = '' OR f.severity = @severity::text)
      AND (@rule::text = '' OR f.rule = @rule::text)
      AND (@text::text = ''
           OR h.name = ANY (@nodes::text[])
           OR strpos(lower(s.name || ' ' || h.name), lower(@text::text)) > 0)
    ORDER BY place
    LIMIT @most::bigint
    OFFSET @skip::bigint)
SELECT sqlc.embed(f), p.host_id, p.host, p.server_id, p.server, p.judged_at, (earlier.id IS NOT NULL)::boolean AS again,
       COALESCE(b.severity, '')::text AS before_severity, COALESCE(b.text, '')::text AS before_text
FROM page p
JOIN check_finding f ON f.run_id = p.run_id AND f.rule = p.rule
LEFT JOIN host_run earlier ON earlier.id = (
    SELECT r.id
    FROM host_run r
    WHERE r.host_id = p.host_id
      AND r.kind = 'check'
      AND r.package = @package
      AND r.judged_at IS NOT NULL
      AND r.id < p.run_id
    ORDER BY r.id DESC
    LIMIT 1)
LEFT JOIN check_finding b ON b.run_id = earlier.id AND b.rule = f.rule
ORDER BY p.place;

-- name: FleetGone :many
-- What the check before found of a host and the last one did not, as many as wanted.
SELECT h.name AS host, b.rule, b.text
FROM host h
JOIN host_run last ON last.id = (
    SELECT r.id
    FROM host_run r
    WHERE r.host_id = h.id
      AND r.kind = 'check'
      AND r.package = @package
      AND r.judged_at IS NOT NULL
    ORDER BY r.id DESC
    LIMIT 1)
JOIN host_run earlier ON earlier.id = (
    SELECT r.id
    FROM host_run r
    WHERE r.host_id = h.id
      AND r.kind = 'check'
      AND r.package = @package
      AND r.judged_at IS NOT NULL
      AND r.id < last.id
    ORDER BY r.id DESC
    LIMIT 1)
JOIN check_finding b ON b.run_id = earlier.id AND b.severity <> 'pass'
LEFT JOIN check_finding f ON f.run_id = last.id AND f.rule = b.rule AND f.severity <> 'pass'
WHERE f.rule IS NULL
ORDER BY h.name, b.position
LIMIT @most::bigint;
