//! A small surface with one route per guard, a fake store of tokens and tenants, and clients down to the byte.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use signet_http::{
    Answer, Asker, Authenticate, BearerToken, BoundListener, Guard, HttpMetrics, IdempotencyStore, Json, KaaResource, KaaRight, KeyState,
    KeyedRequest, Limits, Listing, MaybeIdempotent, OptionalJson, Page, Parts, Path, Problem, Query, Route, RouteTable, RunningListener,
    Scoped, Site, TenantExists, TlsMode, reasons,
};
use signet_model::{Caller, PersonSubject, Refusal, Rights, Role, TenantId};
use signet_testkit::{FakeClock, SeededEntropy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

/// One of Kaa's paths, where its ingress puts it, and the scope that it needs.
pub(crate) const KAA_ROUTE: &str = "/api/v1/basic-credentials/x/state";
pub(crate) const KAA_PATH: &str = "/ccm/api/v1/basic-credentials/x/state";
pub(crate) const KAA_SCOPE: &str = "tenant:basic-credentials:update";
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Tokens are words: `platform`, `system`, `bus`, `expired`, `stale`, `ROLE@TENANT`, or of people `reader@TENANT`, `updater@TENANT`
/// and `asks-online@TENANT`, whose issuer says yes only when it is asked.
pub(crate) struct Words;

impl Authenticate for Words {
    fn authenticate<'a>(&'a self, token: &'a BearerToken) -> BoxFuture<'a, Result<Caller, Refusal>> {
        Box::pin(async move {
            match token.expose() {
                "platform" => Ok(Caller::OperatorToken),
                "system" => Ok(Caller::System("test")),
                "bus" => Ok(Caller::Bus),
                "expired" => Err(Refusal::new(&reasons::AUTH_EXPIRED, "the token ended at noon")),
                "stale" => Err(Refusal::new(&signet_model::kinds::STANDING_STALE, "the view is old")),
                "panic" => panic!("secret payload"),
                word => {
                    // Long tokens are padded behind a slash.
                    let word = word.split('/').next().unwrap_or(word);
                    let (role, tenant) = word.split_once('@').ok_or_else(|| Refusal::new(&reasons::AUTH_INVALID, "not known"))?;
                    let tenant: TenantId = tenant.parse().expect("tenant");
                    if let "reader" | "updater" | "asks-online" = role {
                        let scope = if role == "updater" { KAA_SCOPE } else { "tenant:basic-credentials:read" };
                        let rights = Arc::new(Rights::new([], [("tenant-system".to_owned(), scope.to_owned())]));
                        return Ok(Caller::Person { tenant, subject: PersonSubject::new(role), rights });
                    }
                    let role: Role = role.parse().map_err(|_| Refusal::new(&reasons::AUTH_INVALID, "not known"))?;
                    let id = "atk_00000000000000000000000000000001".parse().expect("id");
                    Ok(Caller::ApiToken { id, tenant, role })
                }
            }
        })
    }

    fn permits<'a>(
        &'a self,
        token: &'a BearerToken,
        _: &'a Caller,
        resource: &'a str,
        scope: &'a str,
    ) -> BoxFuture<'a, Result<bool, Refusal>> {
        let yes = token.expose().starts_with("asks-online@") && (resource, scope) == ("tenant-system", KAA_SCOPE);
        Box::pin(std::future::ready(Ok(yes)))
    }
}

/// `acme` and `other` exist; counts how often it was asked.
#[derive(Default)]
pub(crate) struct Tenants(pub(crate) AtomicUsize);

impl TenantExists for Tenants {
    fn tenant_exists<'a>(&'a self, tenant: &'a TenantId) -> BoxFuture<'a, Result<bool, Refusal>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { Ok(["acme", "other"].contains(&tenant.as_str())) })
    }
}

/// The first use of a key is fresh, later ones replay `kept`; the key `running` is always in progress.
#[derive(Default)]
pub(crate) struct Keys(pub(crate) parking_lot::Mutex<HashMap<String, Vec<u8>>>);

/// What the handler gets from the store.
pub(crate) struct Mark(pub(crate) String);

impl IdempotencyStore for Keys {
    fn begin<'a>(&'a self, request: &'a KeyedRequest) -> BoxFuture<'a, Result<KeyState, Refusal>> {
        Box::pin(async move {
            assert!(request.scope.is_some() && request.route == "thingCreate");
            let busy = &signet_model::kinds::STORAGE_CONTENTION;
            match (request.key.as_str(), self.0.lock().get(&request.key)) {
                ("running", _) => Err(Refusal::new(busy, "still running")),
                (_, Some(body)) => Ok(KeyState::Replay { status: 201, body: body.clone() }),
                (key, None) => Ok(KeyState::Fresh(Arc::new(Mark(key.to_owned())))),
            }
        })
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct Thing {
    /// Its name.
    name: String,
    note: Option<String>,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct Why {
    reason: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Filter {
    name: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Seen {
    tenant: Option<String>,
    caller: String,
    trace: String,
    correlation: Option<String>,
}

fn seen(tenant: Option<&TenantId>, asker: &Asker) -> Answer<Seen> {
    let correlation = asker.correlation.as_ref().map(ToString::to_string);
    let (caller, trace) = (asker.caller.to_string(), asker.trace.to_string());
    Answer::ok(Seen { tenant: tenant.map(ToString::to_string), caller, trace, correlation })
}

pub(crate) const GUARDED: [(&str, Guard); 8] = [
    ("/public", Guard::Public),
    ("/platform", Guard::Platform),
    ("/platform/{tenant}", Guard::Platform),
    ("/any", Guard::AnyCaller),
    ("/any/{tenant}", Guard::AnyCaller),
    ("/auditor/{tenant}", Guard::Tenant(Role::Auditor)),
    ("/operator/{tenant}", Guard::Tenant(Role::Operator)),
    ("/owner/{tenant}", Guard::Tenant(Role::Owner)),
];

const NAMES: [&str; 8] = ["public", "platform", "platformTenant", "any", "anyTenant", "auditor", "operator", "owner"];

/// One route per guard, and routes that read, create, list, panic and sleep.
pub(crate) fn table(keys: &Arc<Keys>) -> RouteTable {
    let guarded = GUARDED.into_iter().zip(NAMES).map(|((path, guard), name)| {
        let route = Route::get(path, guard).operation_id(name).summary("Shows who asks").answer::<Seen>(200);
        match (guard, path.contains("{tenant}")) {
            (Guard::Public, _) => {
                let nobody = || Seen { tenant: None, caller: "none".into(), trace: String::new(), correlation: None };
                route.handler(async move || Answer::ok(nobody()))
            }
            (_, true) => route.handler(async |Scoped(scope): Scoped, asker: Asker| seen(Some(&scope.tenant), &asker)),
            (_, false) => route.handler(async |asker: Asker| seen(None, &asker)),
        }
    });
    let things = "/t/{tenant}/things";
    let operator = Guard::Tenant(Role::Operator);
    let keys = Arc::clone(keys);
    let create = async move |MaybeIdempotent(key): MaybeIdempotent, Json(thing): Json<Thing>| {
        let answer = Answer::created("/t/acme/things/1", thing);
        if let Some(key) = key {
            let mark = key.mark::<Mark>().expect("the store's mark");
            keys.0.lock().insert(mark.0.clone(), answer.encode()?);
        }
        Ok::<_, Problem>(answer)
    };
    let list = async |Listing { page, filter }: Listing<Filter>| {
        let after = page.after::<u32>()?.unwrap_or(0);
        let rows: Vec<Thing> =
            (after + 1..=5).map(|n| Thing { name: n.to_string(), note: filter.name.clone() }).take(page.limit() as usize + 1).collect();
        Ok::<_, Problem>(Answer::ok(Page::cut(rows, page.limit(), |thing| thing.name.parse::<u32>().expect("number"))))
    };
    RouteTable::new()
        .routes(guarded)
        .route(
            Route::post(things, operator)
                .operation_id("thingCreate")
                .summary("Creates")
                .body::<Thing>()
                .answer::<Thing>(201)
                .idempotent()
                .handler(create),
        )
        .route(
            Route::get(things, operator)
                .operation_id("thingList")
                .summary("Lists")
                .paged::<Filter>()
                .answer::<Page<Thing>>(200)
                .handler(list),
        )
        .route(
            Route::get("/t/{tenant}/things/{id}", operator)
                .operation_id("thingShow")
                .summary("Shows")
                .answer::<Thing>(200)
                .handler(async |Path(name): Path<String>| Answer::ok(Thing { name, note: None })),
        )
        .route(
            Route::post("/t/{tenant}/things/{id}/stop", operator)
                .operation_id("thingStop")
                .summary("Stops")
                .optional_body::<Why>()
                .answer::<Thing>(200)
                .handler(async |Path(name): Path<String>, OptionalJson(why): OptionalJson<Why>| {
                    Answer::ok(Thing { name, note: why.reason })
                }),
        )
        .route(
            Route::get("/found", Guard::Public)
                .operation_id("find")
                .summary("Finds")
                .query::<Filter>()
                .answer::<Thing>(200)
                .handler(async |Query(filter): Query<Filter>| Answer::ok(Thing { name: filter.name.unwrap_or_default(), note: None })),
        )
        .route(
            Route::get(KAA_ROUTE, Guard::Kaa(KaaRight { resource: KaaResource::TenantSystem, scope: KAA_SCOPE, role: Role::Operator }))
                .operation_id("kaa")
                .summary("Is one of Kaa's")
                .answer::<Seen>(200)
                .handler(async |Scoped(scope): Scoped, asker: Asker| seen(Some(&scope.tenant), &asker)),
        )
        .route(
            Route::get("/api/v1/server-certificate", Guard::AnyCaller)
                .operation_id("kaaFault")
                .summary("Fails on one of Kaa's paths")
                .no_content()
                .handler(async || Err::<signet_http::NoContent, _>(Problem::internal(&"secret payload"))),
        )
        .route(Route::get("/panic", Guard::Public).operation_id("panic").summary("Panics").no_content().handler(async || {
            if true {
                panic!("secret payload");
            }
            signet_http::NoContent
        }))
        .route(Route::get("/sleep", Guard::Public).operation_id("sleep").summary("Sleeps").no_content().handler(async || {
            tokio::time::sleep(Duration::from_millis(700)).await;
            signet_http::NoContent
        }))
        .route(
            Route::get("/pieces", Guard::Public)
                .operation_id("pieces")
                .summary("Comes in pieces")
                .no_content()
                .handler(async || pieces(20, Ok)),
        )
        .route(
            Route::get("/broken", Guard::Public)
                .operation_id("broken")
                .summary("Breaks off")
                .no_content()
                .handler(async || pieces(3, |piece| if piece < 2 { Ok(piece) } else { Err(std::io::Error::other("secret payload")) })),
        )
        .route(
            Route::get("/big", Guard::Public)
                .operation_id("big")
                .summary("Is big")
                .answer::<Thing>(200)
                .handler(async || Answer::ok(Thing { name: "x".repeat(16 * 1024 * 1024), note: None })),
        )
}

/// A body of so many pieces `N `, one each 30 ms.
fn pieces(count: u32, make: impl Fn(u32) -> std::io::Result<u32> + Send + 'static) -> axum::body::Body {
    axum::body::Body::from_stream(futures_util::stream::unfold((0, make), move |(piece, make)| async move {
        tokio::time::sleep(Duration::from_millis(30)).await;
        let bytes = make(piece).map(|piece| format!("{piece} "));
        (piece < count).then_some((bytes, (piece + 1, make)))
    }))
}

pub(crate) struct World {
    pub(crate) router: Router,
    pub(crate) metrics: HttpMetrics,
    pub(crate) tenants: Arc<Tenants>,
}

pub(crate) fn world_with(request_deadline: Duration) -> World {
    world_of(Arc::new(Words), request_deadline)
}

/// A world whose callers are told by this.
pub(crate) fn world_of(auth: Arc<dyn Authenticate>, request_deadline: Duration) -> World {
    let (keys, tenants, metrics) = (Arc::new(Keys::default()), Arc::new(Tenants::default()), HttpMetrics::default());
    let parts = Parts {
        auth,
        tenants: tenants.clone(),
        idempotency: keys.clone(),
        clock: Arc::new(FakeClock::new()),
        entropy: Arc::new(SeededEntropy::new(7)),
        metrics: metrics.clone(),
        request_deadline,
    };
    World { router: table(&keys).into_router(parts).expect("a good table"), metrics, tenants }
}

pub(crate) fn world() -> World {
    world_with(PATIENCE)
}

/// Serves a fresh world on a free port.
pub(crate) async fn serve(tls: TlsMode, limits: Limits) -> (RunningListener, World) {
    let world = world();
    (serve_site(Site::of(world.router.clone()), tls, limits).await, world)
}

pub(crate) async fn serve_site(site: Site, tls: TlsMode, limits: Limits) -> RunningListener {
    let bound = BoundListener::bind("api", "127.0.0.1:0").await.expect("a free port");
    bound.serve(site, tls, limits, HttpMetrics::default(), &CancellationToken::new())
}

pub(crate) async fn plain() -> (RunningListener, World) {
    serve(TlsMode::Plain, Limits::default()).await
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn reason(&self) -> String {
        self.json()["reason"].as_str().unwrap_or_default().to_owned()
    }

    /// Reads the first reply of `text`, and what follows it.
    pub(crate) fn parse(text: &str) -> (Self, &str) {
        let (head, rest) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no whole head in {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|s| s.parse().ok()).expect("status line");
        let headers: HashMap<String, String> =
            lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let length = headers.get("content-length").and_then(|value| value.parse().ok()).unwrap_or(0).min(rest.len());
        let (body, rest) = rest.split_at(length);
        (Self { status, headers, body: body.to_owned() }, rest)
    }
}

/// Sends bytes on a connection of their own and reads until it is closed.
pub(crate) async fn talk(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connect");
    let mut text = Vec::new();
    let all = async {
        // The peer may close before it has taken everything.
        let _ = stream.write_all(bytes).await;
        let _ = stream.read_to_end(&mut text).await;
    };
    tokio::time::timeout(PATIENCE, all).await.expect("the connection ends");
    String::from_utf8_lossy(&text).into_owned()
}

/// One request with `Connection: close`; `head` is further header lines, each with its line end.
pub(crate) async fn ask(address: SocketAddr, method: &str, path: &str, head: &str, body: &str) -> Reply {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let text = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}{length}\r\n{body}");
    let answer = talk(address, text.as_bytes()).await;
    if method == "HEAD" {
        let (head, rest) = answer.split_once("\r\n\r\n").expect("head");
        assert_eq!(rest, "", "a HEAD is answered without a body");
        let (mut reply, _) = Reply::parse(&format!("{head}\r\n\r\n"));
        reply.body.clear();
        return reply;
    }
    Reply::parse(&answer).0
}

/// A GET with a token.
pub(crate) async fn get(address: SocketAddr, path: &str, token: &str) -> Reply {
    ask(address, "GET", path, &format!("Authorization: Bearer {token}\r\n"), "").await
}

/// A POST with the operator's token.
pub(crate) async fn post(address: SocketAddr, path: &str, head: &str, body: &str) -> Reply {
    ask(address, "POST", path, &format!("Authorization: Bearer platform\r\n{head}"), body).await
}
