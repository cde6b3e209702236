// Package decide turns a policy, tracks and a person's decisions into a plan: which area of which frame is covered, why,
// and by whom that was decided.
//
// It is pure and owns the formats of policy, plan and decisions, their validation and their canonical bytes. It never
// looks at a pixel and imports the standard library and package track only.
package decide
