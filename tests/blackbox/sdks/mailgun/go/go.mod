module postern/mailgun

go 1.19

require github.com/mailgun/mailgun-go/v4 v4.15.2

require (
	github.com/go-chi/chi/v5 v5.0.8 // indirect
	github.com/json-iterator/go v1.1.10 // indirect
	github.com/modern-go/concurrent v0.0.0-20180228061459-e0a39a4cb421 // indirect
	github.com/modern-go/reflect2 v0.0.0-20180701023420-4b7aa43c6742 // indirect
	github.com/pkg/errors v0.8.1 // indirect
)
