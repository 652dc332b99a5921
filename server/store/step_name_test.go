package store_test

import "testing"

// TestAStepsNameOccursOnceInAnUpgrade: evidence and decisions find it by that.
func TestAStepsNameOccursOnceInAnUpgrade(t *testing.T) {
	t.Parallel()
	d := submit(t)
	id := d.view(t).Waves[0].Upgrades[0].ID
	const add = "INSERT INTO step (upgrade_id, position, name) SELECT $1, 10000 + $2::integer, $3 || name FROM step WHERE upgrade_id = $1 AND position = 1"
	if _, err := d.Store.Pool().Exec(t.Context(), add, id, 1, ""); err == nil {
		t.Error("a second step of that name was taken")
	}
	d.exec(t, add, id, 2, "another-")
}
