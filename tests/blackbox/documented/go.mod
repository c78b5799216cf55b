// What GitLab and Stripe document of their webhooks' payloads, in modules that have them as test data. Nothing is built of this.
module postern.test/documented

go 1.19

require (
	github.com/stripe/stripe-mock v0.162.0
	github.com/xanzy/go-gitlab v0.105.0
)
