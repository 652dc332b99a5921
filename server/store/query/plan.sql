-- name: AddPlan :one
INSERT INTO plan (name, package, created_by, kind, then_package)
VALUES (@name, @package, @created_by, @kind, @then_package)
RETURNING id;

-- name: LockPlan :one
SELECT *
FROM plan
WHERE id = @id
FOR UPDATE;

-- name: PlanByID :one
SELECT p.id, p.name, p.package, p.kind, p.then_package, p.created_by, p.created_at, c.name AS creator
FROM plan p
JOIN person c ON c.id = p.created_by
WHERE p.id = @id;

-- name: Plans :many
SELECT p.id, p.name, p.package, p.kind, p.then_package, p.created_at, c.name AS creator,
       r.id AS revision_id, r.number, r.state, r.hash, r.created_at AS revised_at, a.name AS author,
       COALESCE(o.id, 0)::bigint AS rollout_id
FROM plan p
JOIN person c ON c.id = p.created_by
JOIN revision r ON r.plan_id = p.id AND r.number = (SELECT max(number) FROM revision WHERE plan_id = p.id)
JOIN person a ON a.id = r.author_id
LEFT JOIN rollout o ON o.revision_id = r.id
ORDER BY p.id DESC;

-- name: RevisionsOfPlan :many
SELECT r.*, a.name AS author, COALESCE(o.id, 0)::bigint AS rollout_id
FROM revision r
JOIN person a ON a.id = r.author_id
LEFT JOIN rollout o ON o.revision_id = r.id
WHERE r.plan_id = @plan_id
ORDER BY r.number DESC;

-- name: RevisionWithAuthor :one
SELECT r.*, a.name AS author, COALESCE(o.id, 0)::bigint AS rollout_id
FROM revision r
JOIN person a ON a.id = r.author_id
LEFT JOIN rollout o ON o.revision_id = r.id
WHERE r.id = @id;

-- name: LatestRevision :one
SELECT *
FROM revision
WHERE plan_id = @plan_id
ORDER BY number DESC
LIMIT 1;

-- name: AddRevision :one
INSERT INTO revision (plan_id, number, content, hash, author_id)
VALUES (@plan_id, @number, @content, @hash, @author_id)
RETURNING id;

-- name: MoveRevision :execrows
UPDATE revision
SET state = @to_state
WHERE id = @id
  AND state = @from_state;
