// Package devstack holds no code: it is where the tests of the whole house live. The program is in cmd/.
package devstack
