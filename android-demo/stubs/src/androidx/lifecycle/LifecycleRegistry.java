package androidx.lifecycle;

public class LifecycleRegistry extends Lifecycle {
    public LifecycleRegistry(LifecycleOwner owner) {}

    public void setCurrentState(State state) {}
}
