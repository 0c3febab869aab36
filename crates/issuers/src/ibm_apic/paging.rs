//! Whole lists from pages. A list that moved while it was read is read again or fails: it is never short in silence.

use domain::Timestamp;
use driver::{DriverError, Effect, Kind};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::de::DeserializeOwned;
use url::Url;

use super::{
    api::Page,
    client::{Answered, Client},
    place::Locator,
};

/// The largest page that clients of the real platform ask for.
pub(super) const PAGE_LIMIT: u64 = 1000;
/// Pages of one list read at the same time. A page of a thousand applications with their credentials is a megabyte or
/// two, so this bounds the memory of a listing, and two dozen megabytes a round trip are more than any platform sends.
pub(super) const PAGES_AT_ONCE: usize = 8;
/// A list that moves during three readings in a row is being rewritten by somebody, and the error says so.
const READINGS_MAX: u32 = 3;

/// A list without its paging: where it is, which members and which embedded objects are wanted.
#[derive(Debug, Clone)]
pub(super) struct List {
    /// What is said in errors, for example "listing applications".
    pub doing: &'static str,
    pub url: Url,
    pub wanted: &'static str,
}

impl List {
    fn page(&self, limit: u64, offset: u64) -> Url {
        let mut url = self.url.clone();
        url.set_query(Some(&format!("{}&limit={limit}&offset={offset}", self.wanted)));
        url
    }

    /// The first page tells the total; a server that caps pages below our limit tells its cap.
    pub(super) async fn first<T: DeserializeOwned>(&self, client: &Client) -> Result<Answered<Page<T>>, DriverError> {
        let answered: Answered<Page<T>> = client.get(self.doing, self.page(PAGE_LIMIT, 0)).await?;
        let (have, total) = (answered.value.results.len() as u64, answered.value.total_results);
        if have > total || (have == 0 && total > 0) {
            return Err(self.disagrees(have, total));
        }
        Ok(answered)
    }

    /// A later page, which must be of the same list as the first.
    async fn later<T: DeserializeOwned>(&self, client: &Client, at: PageAt) -> Result<Answered<Page<T>>, DriverError> {
        let answered: Answered<Page<T>> = client.get(self.doing, self.page(at.length, at.offset)).await?;
        let (have, total) = (answered.value.results.len() as u64, answered.value.total_results);
        if total != at.total {
            return Err(self.moved(at.total, total));
        }
        if have != at.length.min(at.total.saturating_sub(at.offset)) {
            return Err(self.disagrees(at.offset + have, total));
        }
        Ok(answered)
    }

    /// A later page, read again where it disagrees with the first: one node of the platform may be behind the others.
    pub(super) async fn later_settled<T: DeserializeOwned>(
        &self,
        client: &Client,
        at: PageAt,
    ) -> Result<Answered<Page<T>>, DriverError> {
        let mut readings = 1;
        loop {
            match self.later(client, at).await {
                Err(error) if error.kind == Kind::Conflict && readings < READINGS_MAX => readings += 1,
                other => return other,
            }
        }
    }

    /// Every element, and the platform's time when the reading began.
    pub(super) async fn whole<T: DeserializeOwned>(&self, client: &Client) -> Result<Answered<Vec<T>>, DriverError> {
        let mut readings = 1;
        loop {
            match self.read_once(client).await {
                Err(error) if error.kind == Kind::Conflict && readings < READINGS_MAX => readings += 1,
                other => return other,
            }
        }
    }

    async fn read_once<T: DeserializeOwned>(&self, client: &Client) -> Result<Answered<Vec<T>>, DriverError> {
        let first = self.first::<T>(client).await?;
        let mut all = first.value.results;
        let pages = later_pages(all.len() as u64, first.value.total_results);
        let mut later = stream::iter(pages).map(|at| self.later::<T>(client, at)).buffered(PAGES_AT_ONCE);
        while let Some(page) = later.try_next().await? {
            all.extend(page.value.results);
        }
        Ok(Answered { value: all, at: first.at })
    }

    fn moved(&self, before: u64, now: u64) -> DriverError {
        let message = format!("{}: the list changed while it was read, from {before} to {now} entries", self.doing);
        DriverError::new(Kind::Conflict, Effect::NotApplied, message)
    }

    fn disagrees(&self, have: u64, total: u64) -> DriverError {
        let message = format!("{}: the platform counts {total} entries and gives {have}", self.doing);
        DriverError::new(Kind::Conflict, Effect::NotApplied, message)
    }
}

/// One page after the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageAt {
    pub offset: u64,
    pub length: u64,
    /// What the first page said.
    pub total: u64,
}

/// The pages that remain after a first one of `length` entries, all of that length but the last.
pub(super) fn later_pages(length: u64, total: u64) -> impl Iterator<Item = PageAt> + Send {
    let step = length.max(1);
    (1..total.div_ceil(step)).map(move |number| PageAt { offset: number * step, length: step, total })
}

/// Of two times the earlier: what is told about several answers holds from the first of them on.
pub(super) fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

pub(super) fn consumer_orgs(client: &Client) -> Result<List, DriverError> {
    Ok(List {
        doing: "listing consumer organisations",
        url: client.consumer_orgs()?,
        wanted: "fields=id,name,title,state,url,owner_url,owner&expand=owner",
    })
}

pub(super) fn catalog_apps(client: &Client) -> Result<List, DriverError> {
    Ok(List {
        doing: "listing the catalog's applications with their credentials",
        url: client.catalog_apps()?,
        wanted: "fields=consumer_org,credentials,id,name,title,state,lifecycle_state,updated_at,url,app_credential_urls\
                 &expand=credentials,consumer_org",
    })
}

pub(super) fn apps(client: &Client, org_id: &str) -> Result<List, DriverError> {
    Ok(List { doing: "listing applications", url: client.apps(org_id)?, wanted: "fields=id,name,title,state,url" })
}

pub(super) fn apps_with_org(client: &Client, org_id: &str) -> Result<List, DriverError> {
    Ok(List {
        doing: "listing applications with their organisation",
        url: client.apps(org_id)?,
        wanted: "fields=id,name,state,url,consumer_org&expand=consumer_org",
    })
}

pub(super) fn credentials(client: &Client, at: &Locator) -> Result<List, DriverError> {
    Ok(List {
        doing: "listing credentials",
        url: client.credentials(at)?,
        wanted: "fields=id,name,title,summary,created_at,url",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(length: u64, total: u64, offsets: &[u64]) {
        let pages: Vec<u64> = later_pages(length, total).map(|page| page.offset).collect();
        assert_eq!(pages, offsets, "{length} of {total}");
    }

    #[test]
    fn later_pages_cover_the_rest_exactly() {
        check(0, 0, &[]);
        check(5, 5, &[]);
        check(1000, 1001, &[1000]);
        check(50, 151, &[50, 100, 150]);
        check(50, 150, &[50, 100]);
    }
}
