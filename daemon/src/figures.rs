//! The queue's figures, kept for a while: a walk over a million recipients takes about a second, so it is done once for
//! everybody who looks, and the pause after it is many times as long as it took.

use crate::app::App;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use storage::queue::{self, Census};
use storage::{StorageError, WorkspaceId};
use tokio::sync::Mutex;

/// Figures are good for so many times as long as it took to count them.
const REST: u32 = 20;

/// The figures that are known.
#[derive(Default)]
pub(crate) struct Figures(Mutex<HashMap<WorkspaceId, Known>>);

struct Known {
    census: Arc<Census>,
    counted: Instant,
    took: Duration,
}

impl Figures {
    /// A workspace's figures, counted anew where they are too old.
    pub async fn of(&self, app: &App, workspace: WorkspaceId) -> Result<Arc<Census>, StorageError> {
        // Who comes while somebody counts waits for that count.
        let mut known = self.0.lock().await;
        if let Some(known) = known.get(&workspace)
            && known.counted.elapsed() < known.took * REST
        {
            return Ok(known.census.clone());
        }
        let (began, now_ms) = (Instant::now(), app.now_ms());
        let census = Arc::new(app.storage.read(move |c| queue::census(c, workspace, now_ms)).await?);
        let fresh = Known { census: census.clone(), counted: Instant::now(), took: began.elapsed() };
        known.insert(workspace, fresh);
        Ok(census)
    }
}
