package store

import "context"

// PlanSize is how many servers and waves the newest revision of a plan has.
type PlanSize struct {
	Plan    int64
	Servers int
	Waves   int
}

const planSizes = `
SELECT r.plan_id AS plan,
       (SELECT COALESCE(sum(jsonb_array_length(w)), 0) FROM jsonb_array_elements(r.content::jsonb -> 'waves') w)::int AS servers,
       jsonb_array_length(r.content::jsonb -> 'waves') AS waves
FROM revision r
WHERE r.number = (SELECT max(n.number) FROM revision n WHERE n.plan_id = r.plan_id)`

// PlanSizes returns the sizes of all plans by the plan's id.
func (s *Store) PlanSizes(ctx context.Context) (map[int64]PlanSize, error) {
	rows, err := pageRows[PlanSize](ctx, s, "load sizes of plans", planSizes)
	if err != nil {
		return nil, err
	}
	sizes := make(map[int64]PlanSize, len(rows))
	for _, r := range rows {
		sizes[r.Plan] = r
	}
	return sizes, nil
}
