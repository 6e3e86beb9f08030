package io.github.exporter.deblur;

import android.app.Activity;
import android.content.ActivityNotFoundException;
import android.content.ClipData;
import android.content.Intent;
import android.graphics.Bitmap;
import android.net.Uri;
import android.os.Bundle;
import android.view.View;
import android.widget.LinearLayout;
import android.widget.ProgressBar;
import android.widget.TextView;
import io.github.exporter.deblur.core.EngineException;
import io.github.exporter.deblur.core.Restorer;
import io.github.exporter.deblur.core.RgbImage;
import io.github.exporter.deblur.core.TileProgress;
import java.io.IOException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** A photograph, restored tile by tile, before and after under one slider; saved and shared where the person says. */
public final class PhotoActivity extends Activity implements View.OnClickListener {
    private static final int CHOOSE = 1;
    private static final int SAVE = 2;
    private static final int THREADS = 2;
    private static final float LARGE_FONT = 1.3f; // beyond it words break in buttons that share a row
    private static final int[] BUTTONS = {R.id.choose, R.id.save, R.id.share, R.id.cancel};

    private final ExecutorService work = Executors.newSingleThreadExecutor();
    private volatile boolean stopping;
    private CompareView compare;
    private TextView status;
    private ProgressBar progress;
    private Bitmap restored; // these two on the main thread alone
    private Uri saved;

    @Override
    protected void onCreate(Bundle state) {
        super.onCreate(state);
        setContentView(R.layout.photo);
        compare = (CompareView) findViewById(R.id.compare);
        status = (TextView) findViewById(R.id.status);
        progress = (ProgressBar) findViewById(R.id.progress);
        for (int button : BUTTONS) {
            findViewById(button).setOnClickListener(this);
        }
        if (getResources().getConfiguration().fontScale > LARGE_FONT) {
            stackButtons();
        }
    }

    private void stackButtons() {
        ((LinearLayout) findViewById(R.id.buttons)).setOrientation(LinearLayout.VERTICAL);
        for (int button : BUTTONS) {
            findViewById(button).setLayoutParams(new LinearLayout.LayoutParams(
                    LinearLayout.LayoutParams.MATCH_PARENT, LinearLayout.LayoutParams.WRAP_CONTENT));
        }
    }

    @Override
    protected void onDestroy() {
        stopping = true;
        work.shutdownNow();
        super.onDestroy();
    }

    @Override
    public void onClick(View button) {
        int id = button.getId();
        if (id == R.id.cancel) {
            stopping = true;
        } else if (id == R.id.share) {
            share();
        } else if (id == R.id.save) {
            Intent intent = new Intent(Intent.ACTION_CREATE_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE);
            startActivityForResult(intent.setType("image/jpeg").putExtra(Intent.EXTRA_TITLE, "restored.jpg"), SAVE);
        } else {
            Intent intent = new Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE);
            startActivityForResult(intent.setType("image/*"), CHOOSE);
        }
    }

    @Override
    protected void onActivityResult(int request, int result, Intent answer) {
        super.onActivityResult(request, result, answer);
        if (result != RESULT_OK || answer == null || answer.getData() == null) {
            return; // the person went back: all stays as it is
        }
        final Uri place = answer.getData();
        final Bitmap made = restored;
        if (request == CHOOSE) {
            stopping = false;
            restored = null;
            saved = null;
            compare.show(null, null);
            working(getString(R.string.opening));
        } else {
            showOnly(); // nothing else until it is written
        }
        final boolean choosing = request == CHOOSE;
        work.execute(new Runnable() {
            @Override
            public void run() {
                if (choosing) {
                    restore(place);
                } else {
                    save(made, place);
                }
            }
        });
    }

    private void restore(Uri photo) {
        try {
            Photo chosen = Photo.read(this, photo);
            Bitmap before = chosen.bitmap;
            show(before, null, null);
            long start = System.nanoTime();
            Restorer restorer = Restorer.open(Engines.factory(this), Bundles.current(this), THREADS);
            try {
                say(getString(R.string.restoring), true);
                RgbImage after = restorer.restore(Pictures.image(before), new TileProgress() {
                    @Override
                    public boolean tileDone(int done, int ofTiles) {
                        progress.setMax(ofTiles); // a ProgressBar, unlike other views, may be told from any thread
                        progress.setProgress(done);
                        return !stopping;
                    }
                });
                double seconds = (System.nanoTime() - start) / 1e9;
                String how = restorer.backend + " " + restorer.model.precision + String.format(" · %.2f s", seconds);
                if (chosen.isSmaller) {
                    how += "\n" + getString(R.string.made_smaller, before.getWidth(), before.getHeight());
                }
                for (String reason : new String[] {restorer.refused, restorer.refusedSizes()}) {
                    how += reason.isEmpty() ? "" : "\n" + reason;
                }
                show(before, Pictures.bitmap(after), how);
            } finally {
                restorer.close();
            }
        } catch (EngineException error) {
            say(stopping ? getString(R.string.stopped) : error.getMessage(), false);
        } catch (IOException error) {
            say(error.getMessage(), false);
        } catch (SecurityException error) { // the permission to read it ended, or never was
            say(getString(R.string.not_opened), false);
        } catch (OutOfMemoryError error) {
            say(getString(R.string.too_large), false);
        }
    }

    private void save(Bitmap made, final Uri place) {
        try {
            Photo.write(this, made, place);
        } catch (IOException error) {
            say(getString(R.string.not_saved), false);
            return;
        } catch (SecurityException error) {
            say(getString(R.string.not_saved), false);
            return;
        }
        runOnUiThread(new Runnable() {
            @Override
            public void run() {
                saved = place;
                idle(getString(R.string.saved));
            }
        });
    }

    private void share() {
        Intent intent = new Intent(Intent.ACTION_SEND).setType("image/jpeg").putExtra(Intent.EXTRA_STREAM, saved);
        intent.setClipData(ClipData.newRawUri(null, saved)); // hands on the permission to read it
        intent.addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION);
        try {
            startActivity(Intent.createChooser(intent, null));
        } catch (ActivityNotFoundException error) {
            status.setText(R.string.nobody_shares);
        }
    }

    /** @param line what is known of the result; null while it is being made */
    private void show(final Bitmap before, final Bitmap after, final String line) {
        runOnUiThread(new Runnable() {
            @Override
            public void run() {
                compare.show(before, after);
                restored = after;
                if (line != null) {
                    idle(line);
                }
            }
        });
    }

    private void say(final String line, final boolean goesOn) {
        runOnUiThread(new Runnable() {
            @Override
            public void run() {
                if (goesOn) {
                    working(line);
                } else {
                    idle(line);
                }
            }
        });
    }

    private void working(String line) {
        status.setText(line);
        progress.setProgress(0);
        showOnly(R.id.progress, R.id.cancel);
    }

    private void idle(String line) {
        status.setText(line);
        showOnly(R.id.choose, restored == null ? 0 : R.id.save, saved == null ? 0 : R.id.share);
    }

    private void showOnly(int... wanted) {
        progress.setVisibility(View.GONE);
        for (int button : BUTTONS) {
            findViewById(button).setVisibility(View.GONE);
        }
        for (int id : wanted) {
            if (id != 0) {
                findViewById(id).setVisibility(View.VISIBLE);
            }
        }
    }
}
