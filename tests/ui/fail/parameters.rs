use std::fmt::Debug;

use servicekit_health::health_check;

struct Pool(u8);
struct View<'a>(&'a u8);

#[health_check]
async fn text(_url: &str) {}

#[health_check]
async fn optional_text(_url: Option<&str>) {}

#[health_check]
async fn static_text(_url: &'static str) {}

#[health_check]
async fn slice(_urls: &[String]) {}

#[health_check]
async fn object(_any: &dyn Debug) {}

#[health_check]
async fn sendable_object(_any: &(dyn Debug + Send + Sync)) {}

#[health_check]
async fn mutable(_pool: &mut Pool) {}

#[health_check]
async fn optional_mutable(_pool: Option<&mut Pool>) {}

#[health_check]
async fn static_reference(_pool: &'static Pool) {}

#[health_check]
async fn opaque(_any: impl Debug) {}

#[health_check]
async fn reference_to_opaque(_any: &impl Debug) {}

#[health_check]
async fn opaque_inside(_any: Vec<impl Debug>) {}

#[health_check]
async fn pattern(Pool(_number): &Pool) {}

#[health_check]
async fn tuple((_a, _b): &(u8, u8)) {}

#[health_check]
async fn reference_pattern(&_number: &u8) {}

#[health_check]
async fn references_inside(_list: Vec<&Pool>, _pair: &(u8, &Pool), _result: Option<Vec<&u8>>) {}

#[health_check]
async fn view(_view: &View<'_>) {}

#[health_check]
async fn named_view<'a>(_view: View<'a>) {}

fn main() {
    let _ = Pool(1).0;
    let _ = View(&1).0;
}
