//! Listeners, TLS, guards, problem details, paging, the route table and OpenAPI.
