//! The pages for people, as the program carries them.

use http::Method;
use testkit::{Reply, bare, request};

use crate::support::Stage;

#[tokio::test]
async fn the_phone_page_is_served_with_all_that_it_loads_or_says_how_to_build_it() {
    let stage = Stage::new().await;
    let get = async |path: &str| -> Reply { request(stage.server.http(), bare(Method::GET, path)).await };
    let page = get("/phone").await;
    let policy = page.header("content-security-policy").expect("a policy").to_owned();
    assert!(policy.contains("script-src 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    let text = String::from_utf8_lossy(&page.body).into_owned();
    if page.status == 503 {
        assert!(text.contains("cargo xtask web"), "{text}");
        return;
    }
    let page = page.expect(200);
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    let loaded: Vec<_> = text.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert!(loaded.iter().any(|path| path.ends_with(".js")), "{text}");
    for path in loaded {
        let file = get(path).await.expect(200);
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(file.header("cache-control").is_some_and(|kept| kept.contains("immutable")), "{path}");
    }
}
