module postern/sendgrid

go 1.19

require (
	github.com/sendgrid/sendgrid-go v3.16.1+incompatible
	github.com/sendgrid/rest v2.6.9+incompatible // indirect
)
