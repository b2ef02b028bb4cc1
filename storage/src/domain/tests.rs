use super::*;
use crate::{OpenOptions, Storage};
use api_types::{DomainEventKind, KeyStep};

const W: WorkspaceId = WorkspaceId::MAIN;

fn storage() -> (tempfile::TempDir, Storage) {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 2 }).unwrap();
    (dir, storage)
}

fn new_key(selector: &str) -> NewDkimKey {
    NewDkimKey {
        selector: selector.to_owned(),
        algorithm: "rsa-sha256",
        private_sealed: vec![1, 2, 3],
        public_key: "AAAA".to_owned(),
    }
}

#[test]
fn a_key_keeps_its_dates_and_loses_its_private_part() {
    let (_dir, storage) = storage();
    let write = move |tx: &crate::Transaction<'_>| {
        let id = insert(tx, W, ("example.com", "bounce.example.com"), &[new_key("a"), new_key("b")], 5)?;
        let mut key = keys(tx, W, id)?.remove(0);
        assert_eq!((key.step, key.step_ms, key.dates), (KeyStep::Waiting, 5, StepDates::default()));
        for (n, step) in KeyStep::ALL.into_iter().enumerate() {
            let at_ms = 10 + n as i64;
            (key.step, key.step_ms) = (step, at_ms);
            key.dates.note(step, at_ms);
            set_step(tx, W, &key)?;
            let stored = keys(tx, W, id)?.remove(0);
            let over = step >= KeyStep::Retired;
            assert_eq!(stored.private_sealed.is_empty(), over, "{step:?}");
            assert_eq!((stored.step, stored.step_ms, stored.dates), (step, at_ms, key.dates));
        }
        let all = [key.dates.seen_ms, key.dates.active_ms, key.dates.replaced_ms, key.dates.retired_ms];
        assert_eq!(all, [Some(11), Some(12), Some(13), Some(14)]);
        assert!(matches!(insert_key(tx, W, id, &new_key("b"), 6), Err(StorageError::Exists)));
        assert!(delete_key(tx, W, key.id)? && !delete_key(tx, W, key.id)?);
        assert_eq!(keys(tx, W, id)?.len(), 1);
        // Another workspace sees nothing of it.
        assert!(keys(tx, WorkspaceId(2), id)?.is_empty());
        Ok(())
    };
    storage.main().write_blocking(write).unwrap();
}

#[test]
fn what_is_due_comes_in_order() {
    let (_dir, storage) = storage();
    let write = move |tx: &crate::Transaction<'_>| {
        let mut ids = Vec::new();
        for name in ["a", "b", "c"] {
            let path = format!("bounce.{name}.example");
            ids.push(insert(tx, W, (&format!("{name}.example"), &path), &[], 100)?);
        }
        set_next_check(tx, W, ids[0], 300)?;
        set_next_check(tx, W, ids[1], 200)?;
        set_next_check(tx, W, ids[2], 900)?;
        assert_eq!(due(tx, 500, 10)?, [(W, ids[1]), (W, ids[0])]);
        assert_eq!(due(tx, 500, 1)?, [(W, ids[1])]);
        assert!(set_rotate_days(tx, W, ids[0], Some(90))?);
        assert!(!set_rotate_days(tx, WorkspaceId(2), ids[0], None)?);
        assert_eq!(find(tx, W, ids[0])?.unwrap().rotate_days, Some(90));
        Ok(())
    };
    storage.main().write_blocking(write).unwrap();
}

#[test]
fn old_events_are_forgotten() {
    let (_dir, storage) = storage();
    let write = move |tx: &crate::Transaction<'_>| {
        let id = insert(tx, W, ("example.com", "bounce.example.com"), &[], 0)?;
        let other = insert(tx, W, ("example.org", "bounce.example.org"), &[], 0)?;
        let event = |at_ms| DomainEvent { at_ms, kind: DomainEventKind::Lost, text: "gone".to_owned(), actor: None };
        note(tx, W, other, &event(1))?;
        for at_ms in 0..520 {
            note(tx, W, id, &event(at_ms))?;
        }
        let kept = events(tx, W, id, 1_000)?;
        assert_eq!((kept.len(), kept[0].at_ms, kept[499].at_ms), (500, 519, 20));
        assert_eq!(events(tx, W, other, 10)?.len(), 1);
        delete(tx, W, id)?;
        assert!(events(tx, W, id, 10)?.is_empty());
        Ok(())
    };
    storage.main().write_blocking(write).unwrap();
}
